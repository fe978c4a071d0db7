import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { importJWK, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { newId } from '#libs/base'
import type { EdgeIntent, EdgeNamespace } from '#libs/domain/edges'
import { nodePorts } from '#libs/domain/nodes'
import {
  type CertificateAuthority,
  createCertificateAuthority,
  issueCertificate,
  jwks,
  newSigningKey,
  type SigningKey,
} from '#libs/pki'
import { createLogger, createMetrics } from '#libs/telemetry'
import { buildDiscovery, type Discovery } from '../../../apps/edge/discovery/discovery.ts'
import { type EdgeProbeTarget, probeEdgeCall, probeEdgeVersion } from '../../../apps/provisioner/temporal/edge-probe.ts'
import { GrpcCellClient } from '../../../apps/provisioner/temporal/grpc-cell-client.ts'
import { readyNodes } from '../../harness/node-desk.ts'
import { toolchain } from '../../harness/toolchain.ts'
import { type CellUnderTest, cellToken, prepareCell } from './cell-under-test.ts'

const namespaceId = 'payments.a1b2c'
const hostname = 'payments.a1b2c.ns.example.test'
const issuer = 'aqueduct-probe'

let cell: CellUnderTest
let client: GrpcCellClient
let discovery: Discovery
let port: number
let serverCa: CertificateAuthority
let probeKey: SigningKey
let namespaces: readonly EdgeNamespace[] = []
let changed: ((cellId: string) => void) | undefined

beforeAll(async () => {
  const nodeRoot = await createCertificateAuthority({ commonName: 'Node root', validityDays: 1 })
  serverCa = await createCertificateAuthority({ commonName: 'Servers', validityDays: 1 })
  probeKey = await newSigningKey()
  const apiKey = await newSigningKey()
  discovery = buildDiscovery({
    readIntent: async (cellId): Promise<EdgeIntent> => ({
      cellId,
      port: nodePorts.edge,
      privatePort: nodePorts.edgePrivate,
      frontends: [{ host: cell.input.address, port: nodePorts.frontend }],
      namespaces,
      apiKeys: { issuer: 'aqueduct', audience: 'aqueduct', jwks: jwks([apiKey.publicJwk]) },
      probe: { issuer, jwks: jwks([probeKey.publicJwk]) },
    }),
    onChange: (listener) => {
      changed = listener
      return () => undefined
    },
    recordRefusals: async () => ({ recorded: 0, leftOut: 0 }),
    nodes: readyNodes(() => cell.cellId),
    logger: createLogger('edge', 'silent'),
    metrics: createMetrics('edge'),
    tls: { ...(await serverIdentity('localhost')), nodeCaPem: nodeRoot.certificatePem },
  })
  port = await discovery.listen({ host: '127.0.0.1', port: 0 })
  const { envoy } = toolchain()
  cell = await prepareCell()
  const nodeCertificate = await issueCertificate({
    issuer: nodeRoot,
    subject: { commonName: cell.nodeId },
    usage: 'client',
    uris: [`aqueduct://cells/${cell.cellId}/nodes/${cell.nodeId}`],
    validityDays: 1,
  })
  const edge = {
    url: `https://localhost:${port}`,
    ca: serverCa.certificatePem,
    certificate: nodeCertificate.certificatePem,
    key: nodeCertificate.keyPem,
    envoy,
    concurrency: 1,
    nexusSecret: 'secret of the test',
  }
  const began = performance.now()
  await cell.driver.configure(cell.manifest(1, { edge }))
  client = new GrpcCellClient({
    target: cell.frontend,
    token: () => cellToken(cell.signingKey, ['temporal-system:admin']),
  })
  const ready = { state: 'ready', detail: '' }
  await vi.waitFor(async () => expect(await cell.driver.get(cell.nodeId)).toMatchObject(ready), {
    timeout: 25_000,
    interval: 20,
  })
  await vi.waitFor(() => client.health(), { timeout: 20_000, interval: 20 })
  console.info(`node with an edge ready in ${Math.round(performance.now() - began)} ms; ${await memory()}`)
}, 60_000)

afterAll(async () => {
  client?.close()
  await cell?.dispose()
  await discovery?.close()
})

describe('a node with an edge', () => {
  test('has no chain for a namespace that the edge does not know', async () => {
    expect(await probeEdgeVersion(await target())).toMatchObject({ kind: 'refused', reason: 'handshake' })
  })

  test('serves a namespace as soon as it is there', async () => {
    await client.registerNamespace({ name: namespaceId, retentionDays: 1, description: '', data: {} })
    const began = performance.now()
    await serve(1)
    await answers(1)
    console.info(`a namespace acts at the edge after ${Math.round(performance.now() - began)} ms`)
    expect(await probeEdgeCall(await target(), namespaceId)).toEqual({ kind: 'answered' })
  })

  test('answers a later generation after a change', async () => {
    await serve(2)
    await answers(2)
  })

  test('refuses who is not the probe', async () => {
    const refused = async (token: string): Promise<unknown> => probeEdgeVersion({ ...(await target()), token })
    const foreign = await newSigningKey()
    expect(await refused('nonsense')).toMatchObject({ kind: 'refused', reason: 'unauthenticated' })
    expect(await refused(await probeToken(foreign, namespaceId))).toMatchObject({ reason: 'unauthenticated' })
    expect(await refused(await probeToken(probeKey, 'other.a1b2c'))).toMatchObject({ kind: 'refused' })
  })

  test('may not be asked about another namespace', async () => {
    expect(await probeEdgeCall(await target(), 'temporal-system')).toMatchObject({ kind: 'refused', reason: 'denied' })
  })

  test('says why it cannot be reached', async () => {
    const closed = { ...(await target()), port: 1 }
    expect(await probeEdgeVersion(closed)).toMatchObject({ kind: 'refused', reason: 'unreachable' })
    const stranger = await createCertificateAuthority({ commonName: 'Stranger', validityDays: 1 })
    const distrusted = { ...(await target()), caPem: stranger.certificatePem }
    expect(await probeEdgeVersion(distrusted)).toMatchObject({ kind: 'refused', reason: 'handshake' })
  })

  test('goes on without the discovery server', async () => {
    await discovery.close()
    await answers(2)
  })
})

/** Resident memory of the node's processes. */
async function memory(): Promise<string> {
  const parts: string[] = []
  for (const name of ['agent', 'temporal', 'envoy']) {
    const file: unknown = JSON.parse(await readFile(join(cell.dir, 'run', `${name}.pid`), 'utf8'))
    const status = await readFile(`/proc/${(file as { pid: number }).pid}/status`, 'utf8')
    parts.push(`${name} ${Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) >> 10} MiB`)
  }
  return parts.join(', ')
}

const answers = (generation: number): Promise<void> =>
  vi.waitFor(async () => expect(await probeEdgeVersion(await target())).toEqual({ kind: 'answered', generation }), {
    timeout: 10_000,
    interval: 20,
  })

async function serve(generation: number): Promise<void> {
  const server = await serverIdentity(hostname)
  namespaces = [
    {
      id: namespaceId,
      hostname,
      generation,
      serverCertificatePem: server.certificatePem,
      serverKeyPem: server.keyPem,
      apiKeysEnabled: true,
      suspended: false,
      revokedFingerprints: [],
      revokedKeyIds: [],
      writers: [newId('usr')],
      readers: [],
      tokens: {
        write: await cellToken(cell.signingKey, [`${namespaceId}:write`]),
        read: await cellToken(cell.signingKey, [`${namespaceId}:read`]),
      },
    },
  ]
  changed?.(cell.cellId)
}

async function target(): Promise<EdgeProbeTarget> {
  const token = await probeToken(probeKey, namespaceId)
  const { address } = cell.input
  return { address, port: nodePorts.edge, hostname, caPem: serverCa.certificatePem, token, timeoutMs: 5_000 }
}

async function probeToken(key: SigningKey, audience: string): Promise<string> {
  return new SignJWT({})
    .setProtectedHeader({ alg: 'ES256', kid: key.kid })
    .setIssuer(issuer)
    .setAudience(audience)
    .setExpirationTime('1m')
    .sign(await importJWK(key.privateJwk, 'ES256'))
}

async function serverIdentity(name: string): Promise<{ readonly certificatePem: string; readonly keyPem: string }> {
  const profile = { subject: { commonName: name }, usage: 'server' as const, dnsNames: [name], validityDays: 1 }
  return issueCertificate({ issuer: serverCa, ...profile })
}
