import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { EdgeNamespace } from '#libs/domain/edges'
import { type CertificateAuthority, createCertificateAuthority } from '#libs/pki'
import { until } from '../../harness/until.ts'
import type { EdgeConnection, Identity } from './edge-client.ts'
import { clientIdentity, EdgeFixture, writeToken } from './edge-fixture.ts'
import { EchoFrontend } from './frontend.ts'

const poll = '/temporal.api.workflowservice.v1.WorkflowService/PollWorkflowTaskQueue'
/** What the product promises for a revocation, in milliseconds; the discovery server's part is a small one of it. */
const cutWithinMs = 4_000

let edge: EdgeFixture
let ca: CertificateAuthority
let otherCa: CertificateAuthority
let worker: Identity & { readonly fingerprintSha256: string }
let base: EdgeNamespace
let neighbour: EdgeNamespace

beforeAll(async () => {
  edge = await EdgeFixture.start()
  ca = await createCertificateAuthority({ commonName: 'Tenant', validityDays: 30 })
  otherCa = await createCertificateAuthority({ commonName: 'Tenant, later', validityDays: 30 })
  worker = await clientIdentity(ca)
  base = edge.namespace('changing.t', { clientCa: { pem: ca.certificatePem, filters: [] } })
  neighbour = edge.namespace('neighbour.t', { clientCa: { pem: ca.certificatePem, filters: [] } })
})

beforeEach(() => edge.apply([base, neighbour]))

afterAll(() => edge.close())

/** A connection with a long poll on it that the frontend holds. */
async function polling(
  namespace: EdgeNamespace,
): Promise<{ readonly connection: EdgeConnection; readonly ended: () => boolean }> {
  const before = edge.frontend.polls.size
  const connection = edge.connect(namespace, { identity: worker })
  let ended = false
  const end = (): void => {
    ended = true
  }
  connection.call({ authority: namespace.hostname, path: poll }).then(end, end)
  await until('the frontend holds the poll', () => edge.frontend.polls.size > before)
  return { connection, ended: () => ended }
}

describe('what takes access away cuts open connections, and no one else’s', () => {
  const cuts: [
    string,
    () => Partial<Omit<EdgeNamespace, 'clientCa'>> & { clientCa?: EdgeNamespace['clientCa'] | undefined },
  ][] = [
    ['another CA', () => ({ clientCa: { pem: otherCa.certificatePem, filters: [] } })],
    [
      'a filter',
      () => ({
        clientCa: {
          pem: ca.certificatePem,
          filters: [{ commonName: 'x', organization: '', organizationalUnit: '', subjectAlternativeName: '' }],
        },
      }),
    ],
    ['mTLS off', () => ({ clientCa: undefined })],
    ['API keys off', () => ({ apiKeysEnabled: false })],
    ['a revoked certificate', () => ({ revokedFingerprints: [worker.fingerprintSha256] })],
    ['a revoked key', () => ({ revokedKeyIds: ['key-9'] })],
    ['suspension', () => ({ suspended: true })],
  ]

  test.each(cuts)('%s', async (_name, change) => {
    const cut = await polling(base)
    const kept = await polling(neighbour)
    const begin = performance.now()
    const { clientCa, ...rest } = { ...base, ...change() }
    await edge.apply([{ ...rest, ...(clientCa === undefined ? {} : { clientCa }) }, neighbour])
    await until('the connection is cut', () => cut.connection.closed && cut.ended(), cutWithinMs)
    expect(performance.now() - begin).toBeLessThan(cutWithinMs)
    expect(kept.ended()).toBe(false)
    expect(await kept.connection.call({ authority: neighbour.hostname })).toMatchObject({ grpcStatus: 0 })
    kept.connection.close()
  })

  test('a namespace that is deleted', async () => {
    const cut = await polling(base)
    const kept = await polling(neighbour)
    await edge.apply([neighbour])
    await until('the connection is cut', () => cut.connection.closed, cutWithinMs)
    await expect(edge.call(base, { identity: worker })).rejects.toThrow()
    expect(kept.ended()).toBe(false)
    kept.connection.close()
  })
})

describe('what may change at any time cuts nothing', () => {
  test('tokens, roles, generation', async () => {
    const own = await polling(base)
    const write = 'eyJ3.renewed.c2ln'
    await edge.apply([
      { ...base, tokens: { write, read: base.tokens.read }, writers: ['usr-new'], readers: [] },
      neighbour,
    ])
    const { seen } = await own.connection.call({ authority: base.hostname })
    expect(seen?.authorization).toBe(`Bearer ${write}`)
    const told = await edge.call(base, { token: await edge.apiKey() })
    expect(told).toMatchObject({ grpcStatus: 7, message: 'the API key does not permit this namespace' })
    expect(await edge.call(base, { token: await edge.apiKey({ sub: 'usr-new' }) })).toMatchObject({ grpcStatus: 0 })
    expect(own.ended()).toBe(false)
    expect(own.connection.closed).toBe(false)
    own.connection.close()
  })

  test('another frontend', async () => {
    const own = await polling(base)
    const second = new EchoFrontend()
    try {
      edge.frontends = [...edge.frontends, await second.listen(edge.address)]
      await edge.apply([base, neighbour])
      await until('the second frontend is called', async () => {
        await own.connection.call({ authority: base.hostname })
        return second.calls > 0
      })
      expect(own.ended()).toBe(false)
    } finally {
      edge.restoreFrontends()
      await edge.apply([base, neighbour])
      await second.close()
    }
    expect(await own.connection.call({ authority: base.hostname })).toMatchObject({ grpcStatus: 0 })
    own.connection.close()
  })
})

describe('failures', () => {
  test('a change that goes through while calls run fails none of them', async () => {
    const connection = edge.connect(neighbour, { identity: worker })
    let running = true
    const statuses = new Set<number | undefined>()
    const load = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (running) statuses.add((await connection.call({ authority: neighbour.hostname })).grpcStatus)
      }),
    )
    for (let round = 0; round < 5; round++) {
      await edge.apply([{ ...base, revokedKeyIds: [`key-${round}`] }, neighbour])
      await edge.apply([base, neighbour, edge.namespace(`new${round}.t`)])
    }
    running = false
    await load
    expect([...statuses]).toEqual([0])
    connection.close()
  })

  test('new connections during a change of their own chain find the old routes or the new, never none', async () => {
    let running = true
    const seen = new Set<string>()
    const load = (async () => {
      while (running) {
        // While the old chain is cut, a connection to it may break: that is not an answer.
        const reply = await edge.call(base, { identity: worker }).catch(() => undefined)
        if (reply !== undefined) seen.add(`${reply.grpcStatus} ${reply.message}`)
      }
    })()
    for (let round = 0; round < 5; round++) await edge.apply([{ ...base, revokedKeyIds: [`key-${round}`] }, neighbour])
    running = false
    await load
    expect([...seen]).toEqual(['0 '])
  })

  test('Envoy is killed and starts again on the files alone', async () => {
    await edge.envoy.restart()
    const reply = await until('it serves again', () => edge.call(base, { identity: worker }).catch(() => undefined))
    expect(reply.seen?.authorization).toBe(`Bearer ${writeToken}`)
  })

  test('a frontend that is gone: UNAVAILABLE, which clients try again', async () => {
    edge.frontends = [{ host: edge.address, port: 1 }]
    await edge.apply([base, neighbour])
    try {
      expect(await edge.call(base, { identity: worker })).toMatchObject({ grpcStatus: 14 })
    } finally {
      edge.restoreFrontends()
    }
  })
})
