import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type EdgeIntent, type EdgeNamespace, edgeFiles } from '#libs/domain/edges'
import { type CertificateAuthority, createCertificateAuthority, issueCertificate } from '#libs/pki'
import { Registry } from '#libs/telemetry'
import { buildDiscovery, type Discovery } from '../../../apps/edge/discovery/discovery.ts'
import { followEdge } from '../../../apps/node/edge/follower.ts'
import { pollEdge } from '../../../apps/node/edge/poll.ts'
import { readyNodes } from '../../harness/node-desk.ts'
import { until } from '../../harness/until.ts'
import type { Identity } from './edge-client.ts'
import { clientIdentity, EdgeFixture } from './edge-fixture.ts'

const cellId = 'cell-test'
let edge: EdgeFixture
let root: CertificateAuthority
let cellCa: CertificateAuthority
let server: Identity
let worker: Identity
let namespace: EdgeNamespace
let intent: EdgeIntent | undefined
let discovery: Discovery | undefined
/** Of the node whose certificate was written last. */
let nodeCell = ''
let port = 0
let reads = 0
let failing = false
let changed: (cellId: string) => void = () => undefined
const following = new AbortController()

beforeAll(async () => {
  edge = await EdgeFixture.start()
  root = await createCertificateAuthority({ commonName: 'Nodes', validityDays: 30 })
  cellCa = await createCertificateAuthority({ commonName: 'Cell', validityDays: 30, issuer: root })
  server = await issueCertificate({
    issuer: root,
    subject: { commonName: 'discovery' },
    usage: 'server',
    ipAddresses: [edge.address],
    validityDays: 5,
  })
  const ca = await createCertificateAuthority({ commonName: 'Tenant', validityDays: 30 })
  worker = await clientIdentity(ca)
  namespace = edge.namespace('followed.t', { clientCa: { pem: ca.certificatePem, filters: [] } })
  await writeIdentity(cellId)
  await startDiscovery()
})

afterEach(() => {
  failing = false
})

afterAll(async () => {
  following.abort()
  await discovery?.close()
  await edge.close()
})

async function startDiscovery(): Promise<void> {
  discovery = buildDiscovery({
    readIntent: async (id) => {
      reads += 1
      if (failing) throw new Error('the database is gone')
      return id === cellId ? intent : undefined
    },
    onChange: (listener) => {
      changed = listener
      return () => undefined
    },
    recordRefusals: async () => ({ recorded: 0, leftOut: 0 }),
    nodes: readyNodes(() => nodeCell),
    logger: edge.logger,
    metrics: new Registry(),
    tls: { certificatePem: server.certificatePem, keyPem: server.keyPem, nodeCaPem: root.certificatePem },
  })
  port = await discovery.listen({ host: edge.address, port })
}

/** The node's own certificate with the CA of its cell, in the node's folder. */
async function writeIdentity(cell: string, uris = [`aqueduct://cells/${cell}/nodes/node-1`]): Promise<void> {
  nodeCell = cell
  const leaf = await issueCertificate({
    issuer: cellCa,
    subject: { commonName: 'node-1' },
    usage: 'both',
    uris,
    validityDays: 5,
  })
  writeFileSync(join(edge.dir, 'ca.pem'), root.certificatePem)
  writeFileSync(join(edge.dir, 'node.pem'), leaf.certificatePem + cellCa.certificatePem)
  writeFileSync(join(edge.dir, 'node.key'), leaf.keyPem)
}

function source() {
  return {
    url: `https://${edge.address}:${port}`,
    caFile: 'ca.pem',
    certificateFile: 'node.pem',
    keyFile: 'node.key',
  }
}

async function ask(
  version?: string,
  waitSeconds = 0,
  cell = cellId,
  serves: { readonly serves?: 'router' } = {},
): Promise<string | undefined> {
  const signal = new AbortController().signal
  return await pollEdge({
    source: { ...source(), ...serves },
    cellId: cell,
    dir: edge.dir,
    version,
    waitSeconds,
    signal,
  })
}

function versionOf(text: string | undefined): string {
  return (JSON.parse(text ?? '{}') as { version: string }).version
}

describe('the discovery server', () => {
  test('answers with the document, and 304 to who has it', async () => {
    intent = edge.intent([namespace])
    changed(cellId)
    const version = versionOf(await ask())
    expect(version).toMatch(/^[0-9a-f]{32}$/)
    expect(await ask(version)).toBeUndefined()
  })

  test('wakes who waits, at once, and only for a change that is one', async () => {
    const version = versionOf(await ask())
    const waiting = ask(version, 20)
    const before = reads
    changed(cellId)
    await until('it looked', () => reads > before)
    intent = edge.intent([{ ...namespace, generation: 2 }])
    const begin = performance.now()
    changed('*')
    expect(versionOf(await waiting)).not.toBe(version)
    expect(performance.now() - begin).toBeLessThan(2_000)
  })

  test('makes one build of many changes', async () => {
    const version = versionOf(await ask())
    const waiting = ask(version, 20)
    const before = reads
    for (let count = 0; count < 100; count++) changed(cellId)
    intent = edge.intent([{ ...namespace, generation: 3 }])
    changed(cellId)
    await waiting
    expect(reads - before).toBeLessThan(5)
  })

  test('keeps what it had while the rows cannot be read', async () => {
    const version = versionOf(await ask())
    failing = true
    changed(cellId)
    expect(versionOf(await ask())).toBe(version)
  })

  test('leaves out a namespace that cannot be served, and serves the others', async () => {
    intent = edge.intent([{ ...namespace, id: 'poison.t', hostname: 'poison.t.example', serverKeyPem: 'x' }, namespace])
    changed(cellId)
    const text = (await ask()) ?? ''
    expect(text).toContain('followed.t.example')
    expect(text).not.toContain('poison.t.example')
  })

  test('tells a node that is no edge nothing that tenants are served with', async () => {
    intent = edge.intent([namespace])
    changed(cellId)
    const text = (await ask(undefined, 0, cellId, { serves: 'router' })) ?? ''
    expect(versionOf(text)).toBe(versionOf(await ask()))
    expect(text).not.toContain('followed.t.example')
    expect(text).not.toContain('PRIVATE KEY')
  })

  test('tells a node nothing of another cell', async () => {
    await expect(ask(undefined, 0, 'cell-other')).rejects.toThrow('403')
    await expect(ask(undefined, 0, 'cell-other', { serves: 'router' })).rejects.toThrow('403')
    await writeIdentity('cell-other')
    await expect(ask()).rejects.toThrow('403')
    await expect(ask(undefined, 0, cellId, { serves: 'router' })).rejects.toThrow('403')
    await expect(ask(undefined, 0, 'cell-other')).rejects.toThrow('404')
    await writeIdentity(cellId, [`aqueduct://cells/${cellId}/nodes/node-1`, 'aqueduct://cells/cell-other/nodes/node-1'])
    await expect(ask()).rejects.toThrow('403')
    await writeIdentity(cellId, [`aqueduct://cells/${cellId}/nodes/node-1/more`])
    await expect(ask()).rejects.toThrow('403')
    await writeIdentity(cellId)
  })

  test('takes no certificate but one of the nodes’ root, and not none', async () => {
    const stranger = await createCertificateAuthority({ commonName: 'Cell', validityDays: 30 })
    const leaf = await issueCertificate({
      issuer: stranger,
      subject: { commonName: 'node-1' },
      usage: 'client',
      uris: [`aqueduct://cells/${cellId}/nodes/node-1`],
      validityDays: 5,
    })
    writeFileSync(join(edge.dir, 'node.pem'), leaf.certificatePem + stranger.certificatePem)
    writeFileSync(join(edge.dir, 'node.key'), leaf.keyPem)
    await expect(ask()).rejects.toThrow()
    writeFileSync(join(edge.dir, 'node.pem'), '')
    writeFileSync(join(edge.dir, 'node.key'), '')
    await expect(ask()).rejects.toThrow()
    await writeIdentity(cellId)
    expect(versionOf(await ask())).toBeDefined()
  })
})

describe('a node that follows', () => {
  test('starts with empty files, and serves what it is told', async () => {
    intent = edge.intent([{ ...namespace, generation: 10 }])
    changed(cellId)
    const done = followEdge({
      source: source(),
      cellId,
      address: edge.address,
      dir: edge.dir,
      logger: edge.logger,
      signal: following.signal,
    })
    done.catch(() => undefined)
    // Envoy may be started now: there is something to start with, for the owner's eyes alone.
    for (const path of [edgeFiles.listeners, edgeFiles.routes, edgeFiles.endpoints]) {
      expect(statSync(join(edge.dir, path)).mode & 0o777).toBe(0o600)
    }
    await edge.startEnvoy()
    await edge.awaitGeneration(namespace, 10)
    expect(await edge.call(namespace, { identity: worker })).toMatchObject({ grpcStatus: 0 })
  })

  test('takes up a change as it comes', async () => {
    intent = edge.intent([{ ...namespace, generation: 11, suspended: true }])
    const begin = performance.now()
    changed(cellId)
    await edge.awaitGeneration(namespace, 11)
    expect(await edge.call(namespace, { identity: worker })).toMatchObject({ grpcStatus: 7 })
    expect(performance.now() - begin).toBeLessThan(5_000)
    intent = edge.intent([{ ...namespace, generation: 12 }])
    changed(cellId)
    await edge.awaitGeneration(namespace, 12)
  })

  test('serves on without the server, through a restart of Envoy, and follows again when it is back', async () => {
    await discovery?.close()
    await edge.envoy.restart()
    const reply = await until('it serves', () => edge.call(namespace, { identity: worker }).catch(() => undefined))
    expect(reply.grpcStatus).toBe(0)
    // Renewed meanwhile, as certificates are.
    await writeIdentity(cellId)
    intent = edge.intent([{ ...namespace, generation: 13 }])
    await startDiscovery()
    await edge.awaitGeneration(namespace, 13)
  })

  test('keeps what it has when it is sent something that is no configuration', async () => {
    await discovery?.close()
    const good = readFileSync(join(edge.dir, edgeFiles.listeners), 'utf8')
    const text = JSON.stringify({ version: 'x', listeners: { resources: [] }, routes: {}, endpoints: {} })
    const lies = ['', 'null', '{}', text, '{"version":"x","listeners":']
    const liar = await startLiar(lies)
    await until('every lie was told', () => liar.told() > lies.length)
    await liar.close()
    expect(readFileSync(join(edge.dir, edgeFiles.listeners), 'utf8')).toBe(good)
    expect(await edge.call(namespace, { identity: worker })).toMatchObject({ grpcStatus: 0 })
    expect(readdirSync(join(edge.dir, 'edge')).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })

  test('has no word of a key or token in Envoy’s log', () => {
    expect(edge.envoy.log()).not.toMatch(/PRIVATE KEY|eyJ3/)
  })
})

/** A server with the right certificate that says these things in turn. */
async function startLiar(lies: readonly string[]): Promise<{ told(): number; close(): Promise<void> }> {
  let told = 0
  const liar: Server = createServer({ cert: server.certificatePem, key: server.keyPem }, (_request, response) => {
    response.setHeader('connection', 'close')
    response.end(lies[told % lies.length])
    told += 1
  })
  await new Promise<void>((resolve) => liar.listen(port, edge.address, resolve))
  return {
    told: () => told,
    close: async () => {
      liar.closeAllConnections()
      await new Promise((resolve) => liar.close(resolve))
    },
  }
}
