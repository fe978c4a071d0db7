import { randomUUID } from 'node:crypto'
import { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { EdgeRefusal } from '#libs/domain/edges'
import { Database } from '#libs/store'
import { verifyAuditChain } from '#libs/store/audit'
import { recordRefusals } from '../../../apps/edge/refusals/record-refusals.ts'
import { createTestDatabase, type TestDatabase } from '../../harness/postgres.ts'
import { cellId, RefusalsFixture } from './refusals-fixture.ts'

let testDatabase: TestDatabase
let admin: Client
let database: Database
let fixture: RefusalsFixture
let number = 0
const stream = randomUUID()

beforeAll(async () => {
  testDatabase = await createTestDatabase()
  admin = new Client({ connectionString: testDatabase.adminUrl })
  await admin.connect()
  database = new Database({ url: testDatabase.roleUrl('aqueduct_edge'), poolSize: 4, applicationName: 'edge' })
  for (const cell of [cellId, 'cell-2']) {
    await admin.query(
      `insert into cells (id, region, driver, state, namespace_limit, history_shards, server_version, database_name, database_password_sealed)
       values ($1, 'aws-us-east-1', 'fake', 'ready', 10, 64, '1.32.2', replace($1, '-', '_'), 'x')`,
      [cell],
    )
  }
  const namespaces = [
    ['n.aaaaa', 'aaaaa', cellId],
    ['n.bbbbb', 'bbbbb', cellId],
    ['n.ccccc', 'ccccc', 'cell-2'],
  ]
  for (const [id, tenant, cell] of namespaces) {
    await admin.query('insert into tenants (id, name) values ($1, $1)', [tenant])
    await admin.query(
      `insert into namespaces (id, tenant_id, name, region, spec, created_by, cell_id, state, served)
       values ($1, $2, 'n', 'aws-us-east-1', '{}', 'x', $3, 'active', true)`,
      [id, tenant, cell],
    )
  }
  await admin.query(
    "insert into users (id, tenant_id, email, account_role) values ('usr-one', 'aaaaa', 'one@example.com', 'owner')",
  )
  fixture = await RefusalsFixture.start()
  fixture.record = (node, batch) => recordRefusals(database, node, batch)
})
beforeEach(async () => {
  await fixture.writeIdentity(cellId)
})
afterAll(async () => {
  await fixture?.close()
  await database.close()
  await admin.end()
  await testDatabase.drop()
})

function refusal(namespaceId: string, more: Partial<EdgeRefusal> = {}): EdgeRefusal {
  return {
    namespaceId,
    at: Date.UTC(2026, 0, 2),
    operation: 'StartWorkflowExecution',
    outcome: 'PERMISSION_DENIED',
    reason: 'the API key does not permit this namespace',
    principalId: 'usr-one',
    keyId: 'key-one',
    fingerprint: 'ab'.repeat(32),
    sourceAddress: '192.0.2.1',
    requestId: 'request-1',
    repeats: 1,
    ...more,
  }
}

function batch(...refusals: readonly unknown[]): {
  readonly stream: string
  number: number
  readonly refusals: unknown[]
} {
  number += 1
  return { stream, number, refusals: [...refusals] }
}

const send = (value: unknown, cell?: string) => fixture.post(JSON.stringify(value), cell)

async function entries(chain: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const { rows } = await admin.query('select * from audit_entries where chain = $1 order by seq', [chain])
  return rows
}

const counts = async () => {
  const { rows } = await admin.query<{ chain: string; seq: string }>(
    'select chain, seq from audit_chains order by chain',
  )
  return Object.fromEntries(rows.map(({ chain, seq }) => [chain, Number(seq)]))
}

test('each tenant’s refusals are in its own log, once however often they are sent', async () => {
  const before = await counts()
  const sent = batch(
    refusal('n.aaaaa'),
    refusal('n.bbbbb', { principalId: 'usr-one', keyId: '' }),
    refusal('n.aaaaa', { repeats: 7, firstAt: Date.UTC(2026, 0, 1), principalId: '', keyId: '', fingerprint: '' }),
  )
  expect(await Promise.all([send(sent), send(sent), send(sent)])).toEqual([204, 204, 204])
  expect(await send(sent)).toBe(204)
  expect(await counts()).toEqual({ ...before, aaaaa: (before.aaaaa ?? 0) + 2, bbbbb: (before.bbbbb ?? 0) + 1 })
  const [first, second] = (await entries('aaaaa')).slice(-2)
  expect(first).toMatchObject({
    recorded_by: 'aqueduct_edge',
    interface: 'edge',
    operation: 'StartWorkflowExecution',
    principal_type: 'user',
    principal_id: 'usr-one',
    principal_name: 'one@example.com',
    credential_kind: 'api_key',
    credential_id: 'key-one',
    source_address: '192.0.2.1',
    target: { namespaceId: 'n.aaaaa' },
    outcome: 'PERMISSION_DENIED',
    request_id: 'request-1',
    details: { nodeId: 'node-1' },
    occurred_at: new Date('2026-01-02T00:00:00Z'),
  })
  expect(second).toMatchObject({
    principal_type: 'anonymous',
    credential_kind: '',
    repeats: 7,
    details: { nodeId: 'node-1', firstAt: '2026-01-01T00:00:00.000Z' },
  })
  // Another tenant learns the id that was shown to it, and not whose it is.
  expect((await entries('bbbbb')).at(-1)).toMatchObject({
    principal_id: 'usr-one',
    principal_name: '',
    credential_kind: 'certificate',
    credential_id: 'ab'.repeat(32),
  })
  const verifying = new Database({ url: testDatabase.adminUrl, poolSize: 1, applicationName: 'verify' })
  try {
    for (const chain of ['aaaaa', 'bbbbb']) {
      expect(await verifyAuditChain(verifying, chain, undefined)).not.toHaveProperty('broken')
    }
  } finally {
    await verifying.close()
  }
})

test('a node’s clock that is ahead makes nothing happen in the future', async () => {
  expect(await send(batch(refusal('n.aaaaa', { at: Date.now() + 3_600_000 })))).toBe(204)
  const { occurred_at: at } = (await entries('aaaaa')).at(-1) ?? {}
  expect(Math.abs(Number(at) - Date.now())).toBeLessThan(60_000)
})

describe('what a node that was taken over cannot do', () => {
  test('write about namespaces of other cells, or of nobody', async () => {
    const before = await counts()
    const foreign = ['n.ccccc', 'n.zzzzz', '_fleet', 'aaaaa', '', "' or true --"].map((id) => refusal(id))
    expect(await send(batch(...foreign, refusal('n.bbbbb')))).toBe(204)
    expect(await counts()).toEqual({ ...before, bbbbb: (before.bbbbb ?? 0) + 1 })
  })

  test('speak for another cell', async () => {
    const before = await counts()
    expect(await send(batch(refusal('n.ccccc')), 'cell-2')).toBe(403)
    await fixture.writeIdentity('cell-2')
    expect(await send(batch(refusal('n.aaaaa')))).toBe(403)
    // Refused before it is read.
    expect(await fixture.post('not JSON')).toBe(403)
    expect(await counts()).toEqual(before)
  })

  test.each<readonly [string, unknown]>([
    ['no object', []],
    ['no stream', { number: 1, refusals: [refusal('n.aaaaa')] }],
    ['a stream of another form', { stream: 'x', number: 1, refusals: [refusal('n.aaaaa')] }],
    ['a number that is none', { stream, number: '1', refusals: [refusal('n.aaaaa')] }],
    ['a number that is too big', { stream, number: 1e300, refusals: [refusal('n.aaaaa')] }],
    ['nothing', { stream, number: 1_000, refusals: [] }],
    ['too many', { stream, number: 1_000, refusals: Array.from({ length: 501 }, () => refusal('n.aaaaa')) }],
    ...Object.entries({
      'an end that is good': { outcome: 'OK' },
      'an end of its own': { outcome: 'HACKED' },
      'a long text': { reason: 'x'.repeat(321) },
      'a line end': { operation: 'a\nb' },
      'a nul': { requestId: '\0' },
      'a text that is none': { keyId: { toString: 'x' } },
      'a time that is none': { at: 'yesterday' },
      'a time that no calendar has': { at: 1e17 },
      'a first time that is none': { firstAt: -1 },
      'fewer than one': { repeats: 0 },
      'more than there can be': { repeats: 1e12 },
      'a flag that is none': { severalCallers: 'yes' },
    }).map(
      ([name, more]) => [name, { stream, number: 1_000, refusals: [{ ...refusal('n.aaaaa'), ...more }] }] as const,
    ),
  ])('send %s', async (_name, value) => {
    const before = await counts()
    expect(await send(value)).toBe(400)
    expect(await counts()).toEqual(before)
  })

  test('send what is no JSON, or more than a megabyte of it', async () => {
    expect(await fixture.post('{"stream":')).toBe(400)
    expect(await fixture.post(JSON.stringify({ ...batch(refusal('n.aaaaa')), more: 'x'.repeat(1024 * 1024) }))).toBe(
      413,
    )
  })

  test('have fields of its own in an entry', async () => {
    const more = {
      tenantId: 'ccccc',
      interface: 'operator',
      principalName: 'root',
      details: { x: 1 },
      asyncOperationId: 'y',
    }
    expect(await send(batch({ ...refusal('n.aaaaa'), ...more }))).toBe(204)
    expect((await entries('aaaaa')).at(-1)).toMatchObject({
      interface: 'edge',
      principal_name: 'one@example.com',
      async_operation_id: '',
      details: { nodeId: 'node-1' },
    })
  })

  // The last one: it uses up what the node may tell.
  test('fill the disk', async () => {
    const before = await counts()
    const full = () => batch(...Array.from({ length: 500 }, () => refusal('n.aaaaa')))
    const statuses: number[] = []
    for (let sent = 0; sent < 12; sent += 1) statuses.push(await send(full()))
    expect(statuses[0]).toBe(204)
    expect(statuses.at(-1)).toBe(429)
    expect(((await counts()).aaaaa ?? 0) - (before.aaaaa ?? 0)).toBeLessThanOrEqual(6_000)
  })
})
