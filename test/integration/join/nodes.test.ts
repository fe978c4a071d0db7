import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createCertificateAuthority, issueCertificate } from '#libs/pki'
import { until } from '../../harness/until.ts'
import { type Answer, call } from './https-call.ts'
import { joinBy } from './join-by.ts'
import { JoinFixture, type JoiningNode, manifestOf } from './join-fixture.ts'

let fixture: JoinFixture

beforeAll(async () => {
  fixture = await JoinFixture.start()
})
afterAll(async () => {
  await fixture.stop()
})

type Identity = Awaited<ReturnType<typeof joinBy>>

async function manifestFor(node: JoiningNode, identity: Identity, wait = ''): Promise<Answer> {
  return await call(`${fixture.edge.discoveryUrl}/v1/nodes/${node.id}/manifest`, {
    ca: fixture.caPem,
    identity,
    headers: wait === '' ? {} : { prefer: `wait=${wait}`, 'if-none-match': '"1"' },
  })
}

async function statusFor(node: JoiningNode, identity: Identity, body: unknown): Promise<Answer> {
  return await call(`${fixture.edge.discoveryUrl}/v1/nodes/${node.id}/status`, { ca: fixture.caPem, identity, body })
}

const report = { state: 'ready', generation: 1, detail: '' }

describe('a node', () => {
  test('gets its own manifest and no other’s, of its cell or of another', async () => {
    const [one, other, far] = [await fixture.launched(), await fixture.launched(), await fixture.launched('cell-2')]
    const identity = await joinBy(fixture, one)
    for (const node of [one, other, far]) await fixture.mailbox.put(manifestOf(node, 1))
    const own = await manifestFor(one, identity)
    expect(own.status).toBe(200)
    expect(own.headers.etag).toBe('"1"')
    expect(JSON.parse(own.text)).toEqual(manifestOf(one, 1))
    for (const node of [other, far]) {
      const answer = await manifestFor(node, identity)
      expect(answer.status).toBe(403)
      expect(answer.text).not.toContain('generation')
    }
    for (const path of [
      '/v1/nodes//manifest',
      '/v1/nodes/%00/manifest',
      `/v1/nodes/${one.id}%2f..%2f${other.id}/manifest`,
    ]) {
      expect((await call(fixture.edge.discoveryUrl + path, { ca: fixture.caPem, identity })).status).toBe(403)
    }
  })

  test('speaks for itself and for no other', async () => {
    const [one, other] = [await fixture.launched(), await fixture.launched()]
    const identity = await joinBy(fixture, one)
    expect((await statusFor(other, identity, report)).status).toBe(403)
    expect((await statusFor(one, identity, { ...report, nodeId: other.id })).status).toBe(400)
    expect((await statusFor(one, identity, report)).status).toBe(204)
    expect([...(await fixture.mailbox.read([one.id, other.id])).keys()]).toEqual([one.id])
  })

  test('is heard twice a second at most, and says no more than fits', async () => {
    const node = await fixture.launched()
    const identity = await joinBy(fixture, node)
    expect((await statusFor(node, identity, { ...report, detail: 'x'.repeat(100_000) })).status).toBe(413)
    const answers = await Promise.all(Array.from({ length: 40 }, () => statusFor(node, identity, report)))
    expect(answers.filter(({ status }) => status === 429).length).toBeGreaterThan(10)
  })

  test('that asks all the time is turned away, and no other notices', async () => {
    const [one, other] = [await fixture.launched(), await fixture.launched()]
    const [greedy, modest] = [await joinBy(fixture, one), await joinBy(fixture, other)]
    await fixture.mailbox.put(manifestOf(other, 1))
    const statuses: number[] = []
    for (let calls = 0; calls < 400 && statuses.at(-1) !== 429; calls += 20) {
      const answers = await Promise.all(Array.from({ length: 20 }, () => manifestFor(one, greedy)))
      statuses.push(...answers.map(({ status }) => status))
    }
    expect(statuses.at(-1)).toBe(429)
    expect((await manifestFor(other, modest)).status).toBe(200)
  })

  test('that is no edge gets nothing of what edges serve tenants with', async () => {
    const node = await fixture.launched()
    const identity = await joinBy(fixture, node)
    const ask = (document: string) =>
      call(`${fixture.edge.discoveryUrl}/v1/cells/cell-1/${document}`, { ca: fixture.caPem, identity })
    await fixture.admin.query("update nodes set role = 'history' where id = $1", [node.id])
    expect((await ask('edge')).status).toBe(403)
    // There is nothing to serve in this world yet: asked, and not refused.
    expect((await ask('router')).status).toBe(503)
  })

  test('without the certificate of a node gets no answer at all', async () => {
    const node = await fixture.launched()
    const stranger = await createCertificateAuthority({ commonName: 'Somebody', validityDays: 1 })
    const forged = await issueCertificate({
      issuer: stranger,
      subject: { commonName: node.id },
      usage: 'both',
      uris: [`aqueduct://cells/cell-1/nodes/${node.id}`],
      validityDays: 1,
    })
    const url = `${fixture.edge.discoveryUrl}/v1/nodes/${node.id}/manifest`
    await expect(call(url, { ca: fixture.caPem })).rejects.toThrow()
    const identity = { certificate: forged.certificatePem, key: forged.keyPem }
    await expect(call(url, { ca: fixture.caPem, identity })).rejects.toThrow()
  })

  test.each([
    { state: 'draining', mayReport: true, mayServe: true },
    { state: 'deleting', mayReport: false, mayServe: true },
    { state: 'deleted', mayReport: false, mayServe: false },
  ])('that is $state gets no manifest any more', async ({ state, mayReport, mayServe }) => {
    const node = await fixture.launched()
    const identity = await joinBy(fixture, node)
    await fixture.mailbox.put(manifestOf(node, 1))
    expect((await manifestFor(node, identity)).status).toBe(200)
    // One that waits is not given the next one either.
    const waiting = manifestFor(node, identity, '20')
    await fixture.setState(node, state)
    await until('the edge knows', async () => (await manifestFor(node, identity)).status === 403)
    await fixture.mailbox.put(manifestOf(node, 2))
    expect((await statusFor(node, identity, report)).status).toBe(mayReport ? 204 : 403)
    // An edge that drains still follows its tenants: whom to let in, and whom not to any more.
    const path = `${fixture.edge.discoveryUrl}/v1/cells/cell-1/edge`
    const answer = await call(path, { ca: fixture.caPem, identity })
    expect(answer.status !== 403).toBe(mayServe)
    // Ends the wait: nothing else would.
    await fixture.edge.stop()
    await fixture.edge.start()
    const late = await waiting.catch(() => ({ status: 0, text: '' }))
    expect([0, 304, 403]).toContain(late.status)
    expect(late.text).not.toContain('"generation":2')
  })
})

describe('the edge’s database role', () => {
  let edge: Client
  beforeAll(async () => {
    edge = new Client({ connectionString: fixture.testDatabase.roleUrl('aqueduct_edge') })
    await edge.connect()
  })
  afterAll(() => edge.end())

  test('reads the keys that the edge serves with, and no cell’s, node’s or root’s', async () => {
    const node = await fixture.launched()
    await joinBy(fixture, node)
    const { rows } = await edge.query('select distinct purpose from certificate_authorities')
    expect(rows).toEqual([{ purpose: 'server' }])
    expect((await edge.query("select from certificates where purpose = 'node'")).rowCount).toBe(0)
    const all = await fixture.admin.query('select distinct purpose from certificate_authorities order by 1')
    expect(all.rows.map(({ purpose }) => purpose)).toEqual(expect.arrayContaining(['cell', 'node', 'server']))
  })

  test('cannot look at joins or reports, nor write any of it but by the two functions', async () => {
    const node = await fixture.launched()
    await fixture.mailbox.put(manifestOf(node, 1))
    expect((await edge.query('select from node_manifests where node_id = $1', [node.id])).rowCount).toBe(1)
    for (const statement of [
      'select from node_joins',
      'select from node_reports',
      "update node_joins set machine_id = 'i-mine'",
      "update node_manifests set manifest_sealed = 'x'",
      `insert into node_manifests (node_id, generation, manifest_sealed) values ('${node.id}', 9, 'x')`,
      'delete from node_manifests',
      "update node_reports set state = 'ready'",
      `insert into node_reports (node_id, state, generation, detail) values ('${node.id}', 'ready', 9, '')`,
      "update nodes set state = 'ready'",
      `select enqueue_task('reconcile-node', '${node.id}', '{}')`,
    ]) {
      await expect(edge.query(statement), statement).rejects.toThrow(/permission denied/)
    }
    await fixture.setState(node, 'deleting')
    expect((await edge.query('select from node_manifests where node_id = $1', [node.id])).rowCount).toBe(0)
  })

  test.each(['aqueduct_api', 'aqueduct_signup', 'aqueduct_operator'] as const)(
    '%s has nothing to do with it',
    async (role) => {
      const client = new Client({ connectionString: fixture.testDatabase.roleUrl(role) })
      await client.connect()
      try {
        for (const statement of [
          'select from node_joins',
          'select from node_manifests',
          'select from node_reports',
          "select join_node('n', 'i-1', '127.0.0.1', 'k', 'c')",
          "select report_node('n', 'ready', 1, '', null, '1 s')",
        ]) {
          await expect(client.query(statement), statement).rejects.toThrow(/permission denied/)
        }
      } finally {
        await client.end()
      }
    },
  )
})
