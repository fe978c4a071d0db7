import { readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, type MockInstance, test, vi } from 'vitest'
import { type EdgeNamespace, edgeFiles, type PrivateLink, proxyFieldOf } from '#libs/domain/edges'
import { type CertificateAuthority, createCertificateAuthority } from '#libs/pki'
import { translateEdge } from '../../../apps/edge/translate/translate.ts'
import { readEdgeDocument } from '../../../apps/node/edge/edge-document.ts'
import { listenerUpdates } from '../../../apps/node/edge/envoy-admin.ts'
import { until } from '../../harness/until.ts'
import type { Identity } from './edge-client.ts'
import { clientIdentity, EdgeFixture } from './edge-fixture.ts'

let edge: EdgeFixture
let ca: CertificateAuthority
let worker: Identity
let errors: MockInstance
let generation = 100

beforeEach(async () => {
  edge = await EdgeFixture.start()
  errors = vi.spyOn(edge.logger, 'error')
  ca = await createCertificateAuthority({ commonName: 'Tenant', validityDays: 30 })
  worker = await clientIdentity(ca)
})

afterEach(() => edge.close())

function namespaces(count: number): EdgeNamespace[] {
  return Array.from({ length: count }, (_, index) =>
    edge.namespace(`n${index}.t`, { clientCa: { pem: ca.certificatePem, filters: [] } }),
  )
}

/** Every chain of these differs from those of before. */
function changed(list: readonly EdgeNamespace[]): EdgeNamespace[] {
  generation += 1
  return list.map((namespace) => ({ ...namespace, generation, revokedKeyIds: [`key-${generation}`] }))
}

/** Gives the edge what no check of the product passes: these, some of them with a server certificate that is none. */
async function take(list: readonly EdgeNamespace[], poisoned: readonly string[], listener = 0): Promise<void> {
  const document = JSON.parse(translateEdge(edge.intent(list)).text)
  const found = new Set<string>()
  for (const chain of document.listeners.resources[listener].filter_chains) {
    if (!poisoned.includes(chain.name)) continue
    const text = JSON.stringify(chain.transport_socket)
    chain.transport_socket = JSON.parse(text.replace('-----BEGIN CERTIFICATE-----', '-----BEGIN GARBAGE-----'))
    if (JSON.stringify(chain.transport_socket) !== text) found.add(chain.name)
  }
  expect([...found]).toEqual(poisoned)
  await edge.copy.take(readEdgeDocument(JSON.stringify(document)))
}

async function served(list: readonly EdgeNamespace[]): Promise<void> {
  for (const namespace of list) await edge.awaitGeneration(namespace, namespace.generation)
}

async function refused(namespace: EdgeNamespace): Promise<void> {
  await expect(edge.call(namespace, { identity: worker })).rejects.toThrow()
}

/** The fields of what was logged as errors. */
function logged(): readonly unknown[] {
  return errors.mock.calls.map(([fields]) => fields)
}

function onDisk(listener = 0): readonly string[] {
  const file = JSON.parse(readFileSync(join(edge.dir, edgeFiles.listeners), 'utf8'))
  return file.resources[listener].filter_chains.map((chain: { name: string }) => chain.name)
}

describe('a chain that Envoy refuses', { timeout: 60_000 }, () => {
  test('stops neither the changes of others nor a restart, and serves again when it is mended', async () => {
    const [one, two, three] = namespaces(3)
    if (one === undefined || two === undefined || three === undefined) throw new Error('there are three')
    await edge.apply([one, two, three])
    const open = edge.connect(three, { identity: worker })
    const list = [...changed([one, two]), three]
    const begin = performance.now()
    await take(list, ['n0.t'])
    await served(list.slice(1))
    expect(performance.now() - begin).toBeLessThan(5_000)
    // Not even with the chain of before, which may trust what was revoked.
    await refused(one)
    // Who did not change has kept the connection.
    expect(await open.call({ authority: three.hostname })).toMatchObject({ grpcStatus: 0 })
    open.close()
    expect(onDisk()).toEqual(['closed', 'n1.t', 'n2.t'])

    await edge.envoy.restart()
    await served(list.slice(1))
    await refused(one)

    const next = [...list.slice(0, 1), ...changed(list.slice(1))]
    await take(next, ['n0.t'])
    await served(next.slice(1))
    const mended = changed(next)
    await take(mended, [])
    await served(mended)
    expect(await edge.call(one, { identity: worker })).toMatchObject({ grpcStatus: 0 })
    expect(logged()).toEqual([
      expect.objectContaining({ namespaceId: 'n0.t', reason: expect.stringMatching(/certificate/) }),
    ])
    expect(JSON.stringify(logged())).not.toMatch(/BEGIN|MII|eyJ/)
  })

  test('is found when ten change, and another with it', async () => {
    const all = namespaces(10)
    await edge.apply(all)
    const list = changed(all)
    const bad = ['n3.t', 'n8.t']
    const begin = performance.now()
    await take(list, bad)
    await served(list.filter(({ id }) => !bad.includes(id)))
    console.info(`two of ten: ${Math.round(performance.now() - begin)} ms`)
    for (const namespace of list.filter(({ id }) => bad.includes(id))) await refused(namespace)
    expect(logged()).toEqual(bad.map((namespaceId) => expect.objectContaining({ namespaceId })))
    expect(onDisk()).toHaveLength(9)
  })

  test('on one listener takes the namespace off both, and no other off either', async () => {
    const link: PrivateLink = { provider: 'aws', connectionId: 'vpce-1' }
    const all = namespaces(4).map((namespace) => ({ ...namespace, reach: { isPublic: true, privateLinks: [link] } }))
    await edge.apply(all)
    const list = changed(all)
    await take(list, ['n2.t'], 1)
    const good = list.filter(({ id }) => id !== 'n2.t')
    await served(good)
    const privately = edge.privately(proxyFieldOf(link))
    for (const namespace of good) {
      expect(await edge.call(namespace, { identity: worker, ...privately })).toMatchObject({ grpcStatus: 0 })
    }
    for (const namespace of list.filter(({ id }) => id === 'n2.t')) {
      await refused(namespace)
      await expect(edge.call(namespace, { identity: worker, ...privately })).rejects.toThrow()
    }
    const names = ['closed', 'n0.t', 'n1.t', 'n3.t']
    expect([onDisk(0), onDisk(1)]).toEqual([names, names])
    expect(logged()).toEqual([expect.objectContaining({ namespaceId: 'n2.t' })])
    await take(changed(list), [])
    await until('it is served again', () => onDisk(0).length === 5 && onDisk(1).length === 5)
  })

  test('is found after Envoy’s start when it did not run before', async () => {
    const all = namespaces(3)
    edge.copy.prepare()
    await take(all, ['n1.t'])
    expect(onDisk()).toContain('n1.t')
    await edge.startEnvoy()
    const good = all.filter(({ id }) => id !== 'n1.t')
    await served(good)
    await until('the file has what Envoy took', () => onDisk().length === 3)
    await edge.envoy.restart()
    await served(good)
    await refused(edge.namespace('n1.t'))
  })

  test('is found when Envoy dies in the middle of the search', async () => {
    const all = namespaces(10)
    await edge.apply(all)
    const list = changed(all)
    const taking = take(list, ['n4.t'])
    await until('the search is under way', () => onDisk().length < 11)
    await edge.envoy.restart()
    await taking
    await served(list.filter(({ id }) => id !== 'n4.t'))
    await until('the file has what Envoy took', () => onDisk().length === 10 && !onDisk().includes('n4.t'))
    expect(logged()).toEqual([expect.objectContaining({ namespaceId: 'n4.t' })])
  })

  test('is found in a folder whose path is too long for a socket', async () => {
    await edge.apply(namespaces(1))
    const long = join(edge.dir, 'x'.repeat(120))
    symlinkSync(edge.dir, long)
    expect(await listenerUpdates(long)).toMatchObject({ refusals: 0 })
    expect(await listenerUpdates(join(edge.dir, 'nowhere'))).toBeUndefined()
  })
})
