import { credentials, Client as GrpcClient, Metadata, type ServiceError } from '@grpc/grpc-js'
import { type FastifyInstance, fastify } from 'fastify'
import { runMigrations } from 'graphile-worker'
import { Client } from 'pg'
import type { Claims } from '#libs/authz'
import { type Clock, newId } from '#libs/base'
import { type RpcName, type RpcRequest, type RpcResponse, rpcNamed } from '#libs/cloud-api'
import { regions } from '#libs/config'
import type { PaceOverrides } from '#libs/domain/tenants'
import { openSigningKey } from '#libs/keyring'
import { createCertificateAuthority } from '#libs/pki'
import { sealer } from '#libs/sealing'
import { Database, type DatabaseRole } from '#libs/store'
import { createLogger, Registry } from '#libs/telemetry'
import { auditMetrics } from '../../../apps/api/audit/audit-metrics.ts'
import { AuditWriter } from '../../../apps/api/audit/audit-writer.ts'
import { refusalRecorder } from '../../../apps/api/audit/record-refusal.ts'
import { apiKeyTokens } from '../../../apps/api/auth/api-key-tokens.ts'
import { createAuthenticator } from '../../../apps/api/auth/authenticator.ts'
import { RequestLimiter } from '../../../apps/api/limits/request-limiter.ts'
import { StrangerLimiter } from '../../../apps/api/limits/stranger-limiter.ts'
import { MailError, type Mailer, type MailMessage } from '../../../apps/api/mail/mailer.ts'
import { UserInvitationMails } from '../../../apps/api/mail/user-invitation-mails.ts'
import { openapi } from '../../../apps/api/openapi/openapi.ts'
import { pageTokens } from '../../../apps/api/paging/page-tokens.ts'
import { errors } from '../../../apps/api/plugins/errors.ts'
import { createCloudHandlers } from '../../../apps/api/resources/cloud-handlers.ts'
import { registerScim } from '../../../apps/api/scim/register-scim.ts'
import { registerSignup } from '../../../apps/api/signup/register-signup.ts'
import { createDispatch } from '../../../apps/api/transport/dispatcher.ts'
import { startGrpc } from '../../../apps/api/transport/grpc.ts'
import { allowedMethods, rest } from '../../../apps/api/transport/rest.ts'
import { restServerOptions } from '../../../apps/api/transport/rest-server-options.ts'
import { testMasterKey } from '../../harness/master-key.ts'
import { createTestDatabase, type TestDatabase } from '../../harness/postgres.ts'

/** What a call came to: the HTTP status and the body, parsed. */
export interface Answer {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: tests look into many shapes, and a wrong path fails the test.
  readonly body: any
  /** Of the answer, lower case. */
  readonly headers: Readonly<Record<string, string>>
}

export type Headers = Readonly<Record<string, string>>

export interface Principal {
  readonly id: string
  readonly keyId: string
  readonly token: string
}

export interface ApiUnderTest {
  /** Connects the superuser. */
  readonly admin: Client
  readonly testDatabase: TestDatabase
  readonly clock: Clock & { aheadMs: number }
  /** A client CA, PEM. */
  readonly ca: string
  rest(token: string, method: 'GET' | 'POST' | 'DELETE', url: string, body?: object, headers?: Headers): Promise<Answer>
  /** @param headers metadata beside the token. @param seen is given the metadata of the answer. */
  grpc<Name extends RpcName>(
    token: string,
    rpc: Name,
    request: RpcRequest<Name>,
    headers?: Headers,
    seen?: (metadata: Metadata) => void,
  ): Promise<RpcResponse<Name>>
  /** @param limits `{}` for the pace of a tenant that nobody changed; without it nobody waits for the others' operations. */
  newTenant(id: string, limits?: PaceOverrides): Promise<Principal>
  /** A user of a tenant with a key, both written straight into the tables. */
  newUser(tenantId: string, accountRole: string): Promise<Principal>
  /** The REST API with its OpenAPI document on a port of its own, as a base URL. */
  listen(): Promise<string>
  readonly grpcPort: number
  /** What was sent to invited users. */
  readonly mails: readonly MailMessage[]
  /** The mail server, which can be away. */
  readonly post: { fails: boolean }
  readonly invitationMails: UserInvitationMails
  /** Takes refusals; flush it to find their entries. */
  readonly audit: AuditWriter
  /** Connects one of the product's own database roles. */
  roleUrl(role: DatabaseRole): string
  close(): Promise<void>
}

export interface ApiOptions {
  /** Count calls a second, as the product does: without it nobody is too fast. */
  readonly countRequests?: boolean
  readonly badCredentialsPerSecond?: number
  /** A database that another one made: this is one more replica on it. */
  readonly replicaOf?: ApiUnderTest
}

/** Both transports over the real handlers and a database of their own, as the role aqueduct_api. */
export async function startApi(options: ApiOptions = {}): Promise<ApiUnderTest> {
  const testDatabase = options.replicaOf?.testDatabase ?? (await createTestDatabase())
  if (options.replicaOf === undefined)
    await runMigrations({ connectionString: testDatabase.roleUrl('aqueduct_provisioner') })
  const admin = new Client({ connectionString: testDatabase.adminUrl })
  await admin.connect()
  const seal = sealer(Buffer.from(testMasterKey))
  const maker = new Database({ url: testDatabase.adminUrl, poolSize: 1, applicationName: 'test' })
  await openSigningKey(maker.all, seal, { purpose: 'api_key' })
  await maker.close()
  const database = new Database({ url: testDatabase.roleUrl('aqueduct_api'), poolSize: 10, applicationName: 'api' })
  const clock = {
    aheadMs: 0,
    now() {
      return new Date(Date.now() + this.aheadMs)
    },
  }
  const tokens = apiKeyTokens({ database, sealer: seal })
  const logger = createLogger('test', 'silent')
  const signupDatabase = new Database({
    url: testDatabase.roleUrl('aqueduct_signup'),
    poolSize: 2,
    applicationName: 'signup',
  })
  const mails: MailMessage[] = []
  const post = { fails: false }
  const mailer: Mailer = {
    send: async (message) => {
      if (post.fails) throw new MailError('the mail server is away')
      mails.push(message)
      return 'sent'
    },
  }
  const publicUrl = 'https://aqueduct.example'
  const invitationMails = new UserInvitationMails({ database: signupDatabase, mailer, logger, clock, publicUrl })
  const handlers = createCloudHandlers({
    database,
    clock,
    tokens,
    pageTokens: pageTokens(seal),
    domain: 'example.test',
    edgePort: 7233,
    invitationMails,
    regions: regions(
      JSON.stringify([
        { id: 'aws-us-east-1', driver: 'fake', location: 'N. Virginia' },
        { id: 'gcp-europe-west1', driver: 'fake', location: 'Belgium' },
      ]),
    ),
  })
  const registry = new Registry()
  const authenticate = createAuthenticator({
    database,
    clock,
    ...(options.countRequests === true ? { requests: new RequestLimiter({ database, registry }) } : {}),
    ...(options.badCredentialsPerSecond === undefined
      ? {}
      : { strangers: new StrangerLimiter(options.badCredentialsPerSecond) }),
  })
  const audit = new AuditWriter({ database, logger, metrics: auditMetrics(registry), interface: 'cloud_rest' })
  const dispatch = createDispatch<Claims>({
    handlers,
    authenticate,
    admit: authenticate.admit,
    principalOf: (claims) => ('principalId' in claims ? claims.principalId : ''),
    logger,
    registry,
    onRefused: refusalRecorder(audit),
  })
  const app = fastify(restServerOptions)
  await app.register(errors, { logger, allowedMethods })
  await app.register(openapi, { version: '0.0.0', served: new Set(Object.keys(handlers)) })
  await app.register(rest, { dispatch })
  await registerScim(app, { database, clock, logger, authenticate, audit, invitationMails })
  await registerSignup(app, {
    database: signupDatabase,
    apiKeyTokens: tokens,
    logger,
    clock,
    requestsPerMinute: 10_000,
    audit,
  })
  const grpcServer = await startGrpc({ dispatch, listeners: [{ host: '127.0.0.1', port: 0 }] })
  const grpcClient = new GrpcClient(`127.0.0.1:${grpcServer.ports[0]}`, credentials.createInsecure())

  async function newUser(tenantId: string, accountRole: string): Promise<Principal> {
    const [id, keyId] = [newId('usr'), newId('key')]
    await admin.query('insert into users (id, tenant_id, email, account_role) values ($1, $2, $3, $4)', [
      id,
      tenantId,
      `${id}@example.test`,
      accountRole,
    ])
    const expiresAt = new Date(Date.now() + 3_600_000)
    await admin.query(
      `insert into api_keys (id, tenant_id, owner_kind, owner_id, display_name, expires_at)
       values ($1, $2, 'user', $3, 'first', $4)`,
      [keyId, tenantId, id, expiresAt],
    )
    return { id, keyId, token: await tokens.mint({ tenantId, principalId: id, keyId, expiresAt }) }
  }

  return {
    admin,
    clock,
    mails,
    post,
    invitationMails,
    audit,
    ca: (await createCertificateAuthority({ commonName: 'test CA', validityDays: 10 })).certificatePem,
    newUser,
    testDatabase,
    rest: (token, method, url, body, headers) => callRest(app, token, method, url, body, headers),
    grpc: (token, rpc, request, headers, seen) => callGrpc(grpcClient, token, rpc, request, headers, seen),
    roleUrl: (role) => testDatabase.roleUrl(role),
    grpcPort: grpcServer.ports[0] ?? 0,
    listen: () => app.listen({ host: '127.0.0.1', port: 0 }),
    async newTenant(id, limits = { operationsInFlight: 100_000 }) {
      await admin.query('insert into tenants (id, name, limits) values ($1, $1, $2)', [id, limits])
      return newUser(id, 'owner')
    },
    async close() {
      grpcClient.close()
      await grpcServer.stop(1000)
      await app.close()
      await invitationMails.stop()
      await audit.stop()
      await signupDatabase.close()
      await database.close()
      await admin.end()
      if (options.replicaOf === undefined) await testDatabase.drop()
    },
  }
}

async function callRest(
  app: FastifyInstance,
  token: string,
  method: 'GET' | 'POST' | 'DELETE',
  url: string,
  body: object | undefined,
  headers: Headers = {},
): Promise<Answer> {
  const response = await app.inject({
    method,
    url,
    headers: {
      ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  })
  const answered = Object.entries(response.headers).map(([name, value]) => [name, String(value)])
  return { status: response.statusCode, body: response.json(), headers: Object.fromEntries(answered) }
}

function callGrpc<Name extends RpcName>(
  client: GrpcClient,
  token: string,
  rpc: Name,
  request: RpcRequest<Name>,
  headers: Headers = {},
  seen: (metadata: Metadata) => void = () => undefined,
): Promise<RpcResponse<Name>> {
  const { grpcPath, requestType, responseType } = rpcNamed(rpc)
  const metadata = new Metadata()
  if (token !== '') metadata.set('authorization', `Bearer ${token}`)
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value)
  return new Promise((resolve, reject) => {
    const call = client.makeUnaryRequest<object, object>(
      grpcPath,
      (message) => Buffer.from(requestType.encode(message).finish()),
      (bytes) => responseType.decode(bytes),
      request as object,
      metadata,
      (error: ServiceError | null, response?: object) =>
        error === null ? resolve(response as RpcResponse<Name>) : reject(error),
    )
    call.on('metadata', seen)
  })
}
