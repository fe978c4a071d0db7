import { once } from 'node:events'
import type { IncomingHttpHeaders } from 'node:http'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import { Writable } from 'node:stream'
import { TLSSocket } from 'node:tls'
import fastify, { type FastifyInstance } from 'fastify'
import { pino } from 'pino'
import type { OperatorRole } from '#libs/authz'
import { newId, systemClock } from '#libs/base'
import type { Region } from '#libs/config'
import { openAuthority, openSigningKey } from '#libs/keyring'
import { type CertificateAuthority, issueCertificate } from '#libs/pki'
import { type Sealer, sealer } from '#libs/sealing'
import { Database } from '#libs/store'
import type { AuditEntryRow } from '#libs/store/audit'
import { recordCertificate } from '#libs/store/certificates'
import { type Logger, Registry } from '#libs/telemetry'
import { auditMetrics } from '../../../apps/api/audit/audit-metrics.ts'
import { AuditWriter } from '../../../apps/api/audit/audit-writer.ts'
import { apiKeyTokens } from '../../../apps/api/auth/api-key-tokens.ts'
import type { Mailer, MailMessage } from '../../../apps/api/mail/mailer.ts'
import { UserInvitationMails } from '../../../apps/api/mail/user-invitation-mails.ts'
import { buildOperator } from '../../../apps/api/operator/operator-server.ts'
import { readPriceFile } from '../../../apps/api/operator/price-file.ts'
import { errors } from '../../../apps/api/plugins/errors.ts'
import { registerSignup } from '../../../apps/api/signup/register-signup.ts'
import { restServerOptions } from '../../../apps/api/transport/rest-server-options.ts'
import { testMasterKey } from '../../harness/master-key.ts'
import { createTestDatabase, type TestDatabase } from '../../harness/postgres.ts'

/** A client certificate and its key, as a caller has them in files. */
export interface Identity {
  readonly cert: string
  readonly key: string
}

export interface Call {
  readonly method?: string
  readonly identity?: Identity | undefined
  /** An object is sent as JSON, a string as it is. */
  readonly body?: object | string
  readonly headers?: Readonly<Record<string, string>>
  readonly tls?: Pick<RequestOptions, 'maxVersion' | 'agent'>
}

export interface Answer {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: what a server sends is what the test is about
  readonly body: any
  /** Whether the connection took up the TLS session of an earlier one. */
  readonly resumed?: boolean
  readonly headers?: IncomingHttpHeaders
}

/** The one region of the settings. */
const testRegion: Region = {
  id: 'aws-us-east-1',
  driver: 'fake',
  location: 'here',
  cellSize: 'small',
  nodeLimit: 100,
  nodeTemplate: { image: 'ami-1', instanceTypes: { default: ['m7g.large'] } },
  dns: { provider: 'none' },
  options: {},
}

const dayMs = 24 * 60 * 60 * 1000

/** Both ways in, operator's and applicant's, on a database of their own; what they log and mail is kept here. */
export class Listeners {
  readonly sealer: Sealer = sealer(Buffer.from(testMasterKey))
  readonly mails: MailMessage[] = []
  mailer: Mailer = {
    send: async (message) => {
      this.mails.push(message)
      return 'sent'
    },
  }
  #logged = ''
  readonly logger: Logger = pino(
    { level: 'trace' },
    new Writable({
      write: (chunk, _encoding, done) => {
        this.#logged += String(chunk)
        done()
      },
    }),
  )
  readonly #closers: (() => Promise<unknown>)[] = []
  #port = 0
  #serverCa = ''
  #database: Database | undefined
  #testDatabase: TestDatabase | undefined
  #signup: FastifyInstance | undefined
  #routes = ''
  #admin: Identity | undefined
  #audit: AuditWriter | undefined

  static async start(requestsPerMinute = 1000): Promise<Listeners> {
    const listeners = new Listeners()
    const testDatabase = await createTestDatabase()
    listeners.#testDatabase = testDatabase
    const open = (role: 'aqueduct_api' | 'aqueduct_signup' | 'aqueduct_operator' | 'aqueduct_provisioner') => {
      const database = new Database({ url: testDatabase.roleUrl(role), poolSize: 4, applicationName: 'test' })
      listeners.#closers.push(() => database.close())
      return database
    }
    await openSigningKey(open('aqueduct_provisioner').all, listeners.sealer, { purpose: 'api_key' })
    const database = open('aqueduct_operator')
    listeners.#database = database
    const serverCa = await openAuthority(database.all, listeners.sealer, { purpose: 'server' })
    const operatorCa = await openAuthority(database.all, listeners.sealer, { purpose: 'operator' })
    const served = await issueCertificate({
      issuer: serverCa,
      subject: { commonName: 'localhost' },
      usage: 'server',
      dnsNames: ['localhost'],
      validityDays: 1,
    })
    listeners.#serverCa = serverCa.certificatePem
    const audit = new AuditWriter({
      database,
      logger: listeners.logger,
      metrics: auditMetrics(new Registry()),
      interface: 'operator',
    })
    listeners.#audit = audit
    listeners.#closers.unshift(() => audit.stop())
    const common = { logger: listeners.logger, clock: systemClock, audit }
    const [mailer, publicUrl] = [
      { send: (message: MailMessage) => listeners.mailer.send(message) },
      'https://aqueduct.example',
    ]
    const signupDatabase = open('aqueduct_signup')
    const invitationMails = new UserInvitationMails({ ...common, database: signupDatabase, mailer, publicUrl })
    listeners.#closers.unshift(() => invitationMails.stop())
    const operator = await buildOperator({
      ...common,
      database,
      sealer: listeners.sealer,
      mailer,
      invitationMails,
      publicUrl,
      regions: [testRegion],
      prices: readPriceFile(''),
      temporalVersions: ['1.32.2', '1.33.0', '1.34.0'],
      namespaceLimit: 10,
      version: '0.0.0',
      tls: { certificatePem: served.certificatePem, keyPem: served.keyPem, operatorCaPem: operatorCa.certificatePem },
    })
    listeners.#routes = operator.printRoutes({ commonPrefix: false })
    await operator.listen({ host: '127.0.0.1', port: 0 })
    listeners.#port = (operator.server.address() as AddressInfo).port
    listeners.#closers.unshift(() => operator.close())

    const signup = fastify(restServerOptions)
    await signup.register(errors, { logger: listeners.logger })
    const tokens = apiKeyTokens({ database: open('aqueduct_api'), sealer: listeners.sealer })
    await registerSignup(signup, {
      ...common,
      database: signupDatabase,
      apiKeyTokens: tokens,
      requestsPerMinute,
    })
    listeners.#signup = signup
    listeners.#closers.unshift(() => signup.close())
    listeners.#admin = await listeners.operator('ada')
    return listeners
  }

  get logged(): string {
    return this.#logged
  }

  /** Every route of the operator listener, as `METHOD /path`, hidden ones too. */
  get routes(): readonly string[] {
    return routesOf(this.#routes)
  }

  get database(): Database {
    if (this.#database === undefined) throw new Error('not started')
    return this.#database
  }

  /** Every entry of the audit log, oldest first; what was refused until now is among them. */
  async auditEntries(): Promise<readonly AuditEntryRow[]> {
    await this.#audit?.flush()
    return this.database.all.selectFrom('audit_entries').selectAll().orderBy('emit_time').orderBy('seq').execute()
  }

  get adminUrl(): string {
    return this.#testDatabase?.adminUrl ?? ''
  }

  /** An identity of the operator CA, of an operator that is made if need be. `uris`, `record` and `until` make it a strange one. */
  async operator(
    name: string,
    {
      uris = [`aqueduct://operators/${name}`],
      record = true,
      role = 'admin' as OperatorRole,
      issuer = undefined as CertificateAuthority | undefined,
      until = new Date(Date.now() + dayMs),
    } = {},
  ): Promise<Identity & { readonly id: string }> {
    const authority = await openAuthority(this.database.all, this.sealer, { purpose: 'operator' })
    const made = await issueCertificate({
      issuer: issuer ?? authority,
      subject: { commonName: name },
      usage: 'client',
      uris,
      notAfter: until,
      now: new Date(Math.min(Date.now(), until.getTime() - 1000)),
    })
    const id = newId('cert')
    if (record) {
      await this.database.all
        .insertInto('operators')
        .values({ name, role, created_by: 'test', updated_by: null, updated_at: null, deleted_at: null })
        .onConflict((conflict) => conflict.doNothing())
        .execute()
      await recordCertificate(this.database.all, {
        id,
        authorityId: authority.id,
        purpose: 'operator',
        operatorName: name,
        commonName: name,
        issued: made,
        issuedBy: 'test',
      })
    }
    return { id, cert: made.certificatePem, key: made.keyPem }
  }

  /** Calls the operator listener over TLS; as the operator `ada` unless `identity` is given. */
  async call(path: string, call: Call = {}): Promise<Answer> {
    const { method = call.body === undefined ? 'GET' : 'POST', body } = call
    const identity = 'identity' in call ? call.identity : this.#admin
    const payload = typeof body === 'string' ? body : JSON.stringify(body)
    const outgoing = httpsRequest({
      host: '127.0.0.1',
      port: this.#port,
      servername: 'localhost',
      path,
      method,
      ca: this.#serverCa,
      agent: false,
      ...call.tls,
      ...(identity === undefined ? {} : { cert: identity.cert, key: identity.key }),
      headers: { ...(payload === undefined ? {} : { 'content-type': 'application/json' }), ...call.headers },
    })
    outgoing.end(payload)
    const [incoming] = await once(outgoing, 'response')
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk)
    const resumed = outgoing.socket instanceof TLSSocket && outgoing.socket.isSessionReused()
    const text = Buffer.concat(chunks).toString('utf8')
    const answered = text.startsWith('{') ? JSON.parse(text) : text
    return { status: incoming.statusCode, body: answered, resumed, headers: incoming.headers }
  }

  /** Calls the public listener as anybody. */
  async anybody(path: string, body?: object | string, headers: Call['headers'] = {}): Promise<Answer> {
    if (this.#signup === undefined) throw new Error('not started')
    const answer = await this.#signup.inject({
      url: path,
      method: body === undefined ? 'GET' : 'POST',
      ...(body === undefined ? {} : { payload: body, headers: { 'content-type': 'application/json', ...headers } }),
    })
    return { status: answer.statusCode, body: answer.body.startsWith('{') ? answer.json() : answer.body }
  }

  /** Applies, is approved, and answers with the token of the mail. */
  async invite(email: string): Promise<{ readonly entryId: string; readonly token: string }> {
    const applied = await this.anybody('/v1/waitlist', { email, company: 'Engines', useCase: 'long runs' })
    const entryId: string = applied.body.id
    await this.call(`/operator/v1/waitlist/${entryId}/approve`, { method: 'POST' })
    return { entryId, token: this.lastToken() }
  }

  async tenant(email: string): Promise<{ readonly id: string; readonly apiKey: string }> {
    const { token } = await this.invite(email)
    const { body } = await this.anybody('/v1/invitations/accept', { token })
    return { id: body.tenant.id, apiKey: body.apiKey.token }
  }

  lastToken(): string {
    const token = /#token=(\S+)/.exec(this.mails.at(-1)?.text ?? '')?.[1]
    if (token === undefined) throw new Error('no mail has a token')
    return token
  }

  async close(): Promise<void> {
    for (const close of this.#closers) await close()
    await this.#testDatabase?.drop()
  }
}

/** Reads the tree that Fastify prints: four characters a level, then the rest of the path and its methods. */
function routesOf(tree: string): readonly string[] {
  const above: string[] = []
  return tree.split('\n').flatMap((line) => {
    const [, indent = '', part = '', methods = ''] = /^([\s│├└─]*)(\S*) \(([A-Z, ]+)\)/.exec(line) ?? []
    if (indent === '') return []
    const depth = indent.length / 4 - 1
    const path = `${above[depth - 1] ?? ''}${part}`
    above.splice(depth, Number.POSITIVE_INFINITY, path)
    return methods
      .split(', ')
      .filter((method) => method !== 'HEAD')
      .map((method) => `${method} ${path}`)
  })
}
