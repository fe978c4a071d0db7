import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { EdgeRefusal, RefusalBatch } from '#libs/domain/edges'
import { type CertificateAuthority, createCertificateAuthority, issueCertificate } from '#libs/pki'
import { Registry } from '#libs/telemetry'
import { buildDiscovery, type Discovery } from '../../../apps/edge/discovery/discovery.ts'
import type { NodeIdentity } from '../../../apps/edge/discovery/node-identity.ts'
import type { Recorded } from '../../../apps/edge/refusals/record-refusals.ts'
import { askDiscovery } from '../../../apps/node/edge/ask-discovery.ts'
import { reportRefusals } from '../../../apps/node/refusals/report.ts'
import { readyNodes } from '../../harness/node-desk.ts'
import { until } from '../../harness/until.ts'
import { EdgeFixture } from './edge-fixture.ts'

export const cellId = 'cell-test'

/** A real Envoy, the part of the node agent that tells of refusals, and a discovery server that they are told to. */
export class RefusalsFixture {
  readonly edge: EdgeFixture
  readonly batches: RefusalBatch[] = []
  /** Whether the discovery server takes batches; it takes them and loses its answer when `forgetful`. */
  state: 'taking' | 'refusing' | 'forgetful' = 'taking'
  record: (node: NodeIdentity, batch: RefusalBatch) => Promise<Recorded>
  readonly #root: CertificateAuthority
  readonly #cellCa: CertificateAuthority
  #discovery: Discovery | undefined
  #port = 0
  #agent: { readonly abort: AbortController; readonly done: Promise<void> } | undefined
  #sentinels = 0

  private constructor(edge: EdgeFixture, root: CertificateAuthority, cellCa: CertificateAuthority) {
    this.edge = edge
    this.#root = root
    this.#cellCa = cellCa
    this.record = async (_node, batch) => {
      if (this.state === 'refusing') throw new Error('the database is away')
      const known = this.batches.some(({ stream, number }) => stream === batch.stream && number === batch.number)
      if (!known) this.batches.push(batch)
      if (this.state === 'forgetful') throw new Error('the answer is lost')
      return { recorded: batch.refusals.length, leftOut: 0 }
    }
  }

  static async start(): Promise<RefusalsFixture> {
    const edge = await EdgeFixture.start()
    const root = await createCertificateAuthority({ commonName: 'Nodes', validityDays: 30 })
    const cellCa = await createCertificateAuthority({ commonName: 'Cell', validityDays: 30, issuer: root })
    const fixture = new RefusalsFixture(edge, root, cellCa)
    await fixture.#listen()
    await fixture.writeIdentity(cellId)
    return fixture
  }

  async writeIdentity(cell: string): Promise<void> {
    const leaf = await issueCertificate({
      issuer: this.#cellCa,
      subject: { commonName: 'node-1' },
      usage: 'both',
      uris: [`aqueduct://cells/${cell}/nodes/node-1`],
      validityDays: 5,
    })
    const { dir } = this.edge
    writeFileSync(join(dir, 'ca.pem'), this.#root.certificatePem)
    writeFileSync(join(dir, 'node.pem'), leaf.certificatePem + this.#cellCa.certificatePem)
    writeFileSync(join(dir, 'node.key'), leaf.keyPem)
  }

  startAgent(): void {
    const abort = new AbortController()
    const { dir, logger } = this.edge
    const options = { source: this.#source(), cellId, dir, logger, signal: abort.signal, foldMs: 5_000 }
    this.#agent = { abort, done: reportRefusals(options) }
  }

  async stopAgent(): Promise<void> {
    this.#agent?.abort.abort()
    await this.#agent?.done
  }

  get told(): readonly EdgeRefusal[] {
    return this.batches.flatMap(({ refusals }) => refusals)
  }

  /** Everything that was told, once whatever was refused before this has been. */
  async settled(hostname: string): Promise<readonly EdgeRefusal[]> {
    this.#sentinels += 1
    const path = `/sentinel-${this.#sentinels}`
    const namespace = { ...this.edge.namespace('any.t'), hostname }
    await this.edge.call(namespace, { path })
    await until('the sentinel is told', () => this.told.some(({ operation }) => operation === path))
    return this.told.filter(({ operation }) => !operation.startsWith('/sentinel'))
  }

  /** One request to the discovery server, with the certificate that lies in the folder. Returns the status. */
  async post(body: string, cell = cellId): Promise<number> {
    const response = await askDiscovery({
      source: this.#source(),
      dir: this.edge.dir,
      path: `/v1/cells/${cell}/refusals`,
      headers: {},
      body,
      timeoutMs: 10_000,
      signal: new AbortController().signal,
    })
    response.resume()
    return response.statusCode ?? 0
  }

  async close(): Promise<void> {
    await this.stopAgent()
    await this.#discovery?.close()
    await this.edge.close()
  }

  async #listen(): Promise<void> {
    const server = await issueCertificate({
      issuer: this.#root,
      subject: { commonName: 'discovery' },
      usage: 'server',
      ipAddresses: [this.edge.address],
      validityDays: 5,
    })
    this.#discovery = buildDiscovery({
      readIntent: async () => undefined,
      onChange: () => () => undefined,
      recordRefusals: (node, batch) => this.record(node, batch),
      nodes: readyNodes(() => cellId),
      logger: this.edge.logger,
      metrics: new Registry(),
      tls: { certificatePem: server.certificatePem, keyPem: server.keyPem, nodeCaPem: this.#root.certificatePem },
    })
    this.#port = await this.#discovery.listen({ host: this.edge.address, port: 0 })
  }

  #source() {
    return {
      url: `https://${this.edge.address}:${this.#port}`,
      caFile: 'ca.pem',
      certificateFile: 'node.pem',
      keyFile: 'node.key',
    }
  }
}
