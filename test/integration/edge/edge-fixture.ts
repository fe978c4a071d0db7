import { randomInt } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { importJWK, type JWTPayload, SignJWT } from 'jose'
import { coerceError } from '#libs/base'
import {
  type EdgeIntent,
  type EdgeNamespace,
  edgeVersionPath,
  type ProxyField,
  proxyFieldOf,
  proxyHeader,
} from '#libs/domain/edges'
import {
  type CertificateAuthority,
  createCertificateAuthority,
  issueCertificate,
  jwks,
  newSigningKey,
  type SigningKey,
} from '#libs/pki'
import { createLogger } from '#libs/telemetry'
import { translateEdge } from '../../../apps/edge/translate/translate.ts'
import { EdgeCopy } from '../../../apps/node/edge/edge-copy.ts'
import { readEdgeDocument } from '../../../apps/node/edge/edge-document.ts'
import { startEnvoy, type TestEnvoy } from '../../harness/envoy.ts'
import { until } from '../../harness/until.ts'
import { type CallOptions, type ConnectionOptions, EdgeConnection, type Identity, type Reply } from './edge-client.ts'
import { EchoFrontend } from './frontend.ts'

export type TestCall = Partial<CallOptions> &
  Partial<Pick<ConnectionOptions, 'serverName' | 'anyName' | 'identity' | 'port' | 'before'>>

/** What a namespace token looks like; the echo frontend does not verify it. */
export const writeToken = 'eyJ3.write.c2ln'
export const readToken = 'eyJ3.read.c2ln'

/** A real Envoy on an address of its own with the product's configuration, before a frontend that echoes. */
export class EdgeFixture {
  readonly address = `127.${randomInt(64, 192)}.${randomInt(1, 255)}.${randomInt(1, 255)}`
  readonly port = 7233
  readonly privatePort = 7234
  readonly dir = mkdtempSync(join(tmpdir(), 'aqueduct-edge-'))
  readonly frontend = new EchoFrontend()
  readonly logger = createLogger('test', 'silent')
  readonly copy = new EdgeCopy({ dir: this.dir, address: this.address, logger: this.logger })
  readonly serverCa: CertificateAuthority
  readonly apiKeys: SigningKey
  readonly probes: SigningKey
  readonly #server: { readonly certificatePem: string; readonly keyPem: string }
  frontends: EdgeIntent['frontends'] = []
  #own: EdgeIntent['frontends'] = []
  #envoy: TestEnvoy | undefined
  #generation = 0

  private constructor(serverCa: CertificateAuthority, server: Identity, apiKeys: SigningKey, probes: SigningKey) {
    this.serverCa = serverCa
    this.#server = server
    this.apiKeys = apiKeys
    this.probes = probes
  }

  static async start(): Promise<EdgeFixture> {
    const serverCa = await createCertificateAuthority({ commonName: 'Edge', validityDays: 30 })
    const server = await issueCertificate({
      issuer: serverCa,
      subject: { commonName: 'edge' },
      usage: 'server',
      dnsNames: ['*.t.example', 'a.t1.example', 'b.t2.example'],
      validityDays: 10,
    })
    const fixture = new EdgeFixture(serverCa, server, await newSigningKey(), await newSigningKey())
    fixture.#own = [await fixture.frontend.listen(fixture.address)]
    fixture.restoreFrontends()
    return fixture
  }

  /** Started by the first `apply`, or before it when the files were made by somebody else. */
  async startEnvoy(): Promise<void> {
    this.#envoy ??= await startEnvoy(this.dir)
  }

  restoreFrontends(): void {
    this.frontends = this.#own
  }

  get envoy(): TestEnvoy {
    if (this.#envoy === undefined) throw new Error('Envoy was not started')
    return this.#envoy
  }

  /** A namespace with mTLS by its own new CA, and API keys; `id` is `<name>.<tenant>`. */
  namespace(id: string, fields: Partial<EdgeNamespace> = {}): EdgeNamespace {
    return {
      id,
      hostname: `${id}.example`,
      generation: 1,
      serverCertificatePem: this.#server.certificatePem,
      serverKeyPem: this.#server.keyPem,
      apiKeysEnabled: true,
      suspended: false,
      revokedFingerprints: [],
      revokedKeyIds: [],
      writers: ['usr-writer'],
      readers: ['sa-reader'],
      tokens: { write: writeToken, read: readToken },
      ...fields,
    }
  }

  intent(namespaces: readonly EdgeNamespace[]): EdgeIntent {
    return {
      cellId: 'cell-test',
      port: this.port,
      privatePort: this.privatePort,
      frontends: this.frontends,
      namespaces,
      apiKeys: { issuer: 'aqueduct', audience: 'aqueduct', jwks: jwks([this.apiKeys.publicJwk]) },
      probe: { issuer: 'aqueduct-probe', jwks: jwks([this.probes.publicJwk]) },
    }
  }

  /** Gives the edge these namespaces and waits until it serves all of them in this form. Returns the milliseconds it took. */
  async apply(namespaces: readonly EdgeNamespace[]): Promise<number> {
    this.#generation += 1
    const generation = this.#generation
    const begin = await this.take(namespaces.map((namespace) => ({ ...namespace, generation })))
    const last = namespaces.at(-1)
    if (last !== undefined) await this.awaitGeneration(last, generation)
    for (const namespace of namespaces.slice(0, 20)) await this.awaitGeneration(namespace, generation)
    return performance.now() - begin
  }

  /** Gives the edge these namespaces as they are. Returns when it began, by `performance.now()`. */
  async take(namespaces: readonly EdgeNamespace[]): Promise<number> {
    const translation = translateEdge(this.intent(namespaces))
    if (translation.problems.length > 0) throw new Error(JSON.stringify(translation.problems))
    const begin = performance.now()
    if (this.#envoy === undefined) this.copy.prepare()
    await this.copy.take(readEdgeDocument(translation.text))
    await this.startEnvoy()
    return begin
  }

  async awaitGeneration(namespace: EdgeNamespace, generation: number): Promise<void> {
    const token = await this.probeToken(namespace.id)
    await until(`${namespace.id} is served with generation ${generation}`, async () => {
      const reply = await this.version(namespace, token, this.#wayTo(namespace)).catch(() => undefined)
      return reply?.httpStatus === 200 && (JSON.parse(reply.body) as { generation: number }).generation >= generation
    }).catch((thrown: unknown) => {
      // What Envoy does not take, it says in its log.
      throw new Error(`${coerceError(thrown).message}\n${this.envoy.log().slice(0, 3000)}`)
    })
  }

  async version(namespace: EdgeNamespace, token: string, way: TestCall = {}): Promise<Reply> {
    return await this.call(namespace, { path: edgeVersionPath, method: 'GET', contentType: '', token, ...way })
  }

  /** The private listener, over a connection of which a load balancer says these things. */
  privately(...fields: readonly ProxyField[]): TestCall {
    return { port: this.privatePort, before: proxyHeader(fields) }
  }

  /** By a private link where it is not public. */
  #wayTo({ reach }: EdgeNamespace): TestCall {
    const [link] = reach?.privateLinks ?? []
    return reach === undefined || reach.isPublic || link === undefined ? {} : this.privately(proxyFieldOf(link))
  }

  connect(namespace: EdgeNamespace, { serverName, anyName, identity, port, before }: TestCall = {}): EdgeConnection {
    return new EdgeConnection({
      host: this.address,
      port: port ?? this.port,
      before,
      ca: this.serverCa.certificatePem,
      serverName: serverName ?? namespace.hostname,
      identity,
      anyName: anyName ?? false,
    })
  }

  /** One call on a connection of its own. */
  async call(namespace: EdgeNamespace, options: TestCall = {}): Promise<Reply> {
    const connection = this.connect(namespace, options)
    try {
      return await connection.call({ authority: namespace.hostname, ...options })
    } finally {
      connection.close()
    }
  }

  async apiKey(claims: JWTPayload = {}, signer: SigningKey = this.apiKeys): Promise<string> {
    return await sign(signer, { iss: 'aqueduct', aud: 'aqueduct', sub: 'usr-writer', jti: 'key-1', ...claims })
  }

  async probeToken(namespaceId: string, signer: SigningKey = this.probes): Promise<string> {
    return await sign(signer, { iss: 'aqueduct-probe', aud: namespaceId })
  }

  /** Envoy's resident memory. */
  memoryMb(): number {
    const status = readFileSync(`/proc/${this.envoy.pid}/status`, 'utf8')
    return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024)
  }

  async close(): Promise<void> {
    this.copy.close()
    await this.#envoy?.stop()
    await this.frontend.close()
    rmSync(this.dir, { recursive: true, force: true })
  }
}

async function sign(signer: SigningKey, claims: JWTPayload): Promise<string> {
  const exp = claims.exp ?? Math.floor(Date.now() / 1000) + 600
  return await new SignJWT({ ...claims, exp })
    .setProtectedHeader({ alg: 'ES256', kid: signer.kid })
    .sign(await importJWK(signer.privateJwk, 'ES256'))
}

/** A client certificate of this CA, and of any kind of name that the product itself would never issue. */
export async function clientIdentity(
  issuer: CertificateAuthority,
  commonName = 'worker',
): Promise<Identity & { readonly fingerprintSha256: string }> {
  return await issueCertificate({ issuer, subject: { commonName }, usage: 'client', validityDays: 5 })
}
