import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { Listeners } from './listener.ts'

let listeners: Listeners
let admin: Client
const api = '/operator/v1'
const region = 'aws-us-east-1'

beforeAll(async () => {
  listeners = await Listeners.start()
  admin = new Client({ connectionString: listeners.adminUrl })
  await admin.connect()
  await admin.query("insert into tenants (id, name) values ('abcde', 'Example')")
})
afterAll(async () => {
  await admin.end()
  await listeners.close()
})
afterEach(async () => {
  for (const table of ['moves', 'rollout_cells', 'rollouts', 'namespaces', 'cells', 'graphile_worker._private_jobs'])
    await admin.query(`delete from ${table}`)
})

interface Given {
  readonly size?: string
  readonly shards?: number
  readonly state?: string
  readonly in?: string
}

async function cell(id: string, { size = 'small', shards = 512, state = 'ready', in: where = region }: Given = {}) {
  await admin.query(
    `insert into cells (id, region, driver, state, size, namespace_limit, history_shards, server_version, database_name,
       database_password_sealed, node_template) values ($1, $2, 'fake', $3, $4, 10, $5, '1.32.2', $1, '', '{"serverVersion": "1.32.2"}')`,
    [id, where, state, size, shards],
  )
}

const resize = (id: string, body: object) => listeners.call(`${api}/cells/${id}/resize`, { body })

async function sizeOf(id: string): Promise<string> {
  return (await admin.query('select size from cells where id = $1', [id])).rows[0].size
}

async function isWoken(id: string): Promise<boolean> {
  const { rows } = await admin.query('select key from graphile_worker.jobs where key = $1', [`reconcile-cell:${id}`])
  return rows.length > 0
}

test('a small cell becomes a standard one; said again it stays one; each call is in the audit log', async () => {
  await cell('cell-a')
  for (let twice = 0; twice < 2; twice += 1) {
    expect(await resize('cell-a', { size: 'standard' })).toMatchObject({
      status: 200,
      body: { id: 'cell-a', size: 'standard', state: 'ready', historyShards: 512 },
    })
  }
  expect(await sizeOf('cell-a')).toBe('standard')
  expect(await isWoken('cell-a')).toBe(true)
  const entries = (await listeners.auditEntries()).filter(({ operation }) => operation.endsWith('/resize'))
  expect(entries).toMatchObject([
    { outcome: 'OK', principal_id: 'ada', target: { id: 'cell-a', from: 'small', size: 'standard' } },
    { outcome: 'OK', principal_id: 'ada', target: { id: 'cell-a', from: 'standard', size: 'standard' } },
  ])
})

test('what a cell is already needs nothing, not even that it works', async () => {
  await cell('cell-a', { state: 'creating' })
  expect(await resize('cell-a', { size: 'small' })).toMatchObject({ status: 200, body: { size: 'small' } })
})

test.each<[string, Given, object, RegExp]>([
  [
    'to shrink',
    { size: 'standard' },
    { size: 'small' },
    /cell-a is standard, and cells only grow: make a small cell instead, and move/,
  ],
  [
    'more than its history shards are enough for',
    { size: 'dev', shards: 64 },
    { size: 'small' },
    /cell-a has 64 history shards, which never change, and a small cell needs 512: make a small cell instead, and move/,
  ],
  ['a size that there is not', {}, { size: 'huge' }, /size/],
  ['no size', {}, {}, /size/],
  ['what it does not know', {}, { size: 'standard', historyShards: 4096 }, /historyShards/],
  ['a cell that comes up', { state: 'creating' }, { size: 'standard' }, /cell-a is creating: wait until it is ready/],
  ['a cell that is deleted', { state: 'deleting' }, { size: 'standard' }, /cell-a is deleting/],
  ['a cell that is gone, even its own size', { state: 'deleted' }, { size: 'small' }, /cell-a is deleted/],
  ['a region that is not configured', { in: 'aws-eu-west-1' }, { size: 'standard' }, /not among AQUEDUCT_REGIONS/],
])('refuses %s', async (_, given, body, message) => {
  await cell('cell-a', given)
  const refused = await resize('cell-a', body)
  expect(refused.status).toBe(400)
  expect(refused.body.message).toMatch(message)
  expect(await sizeOf('cell-a')).toBe(given.size ?? 'small')
  expect(await isWoken('cell-a')).toBe(false)
})

test('refuses who is no operator_admin, and a cell that is not there', async () => {
  await cell('cell-a')
  const { apiKey } = await listeners.tenant('ada@example.com')
  const callers = {
    viewer: { identity: await listeners.operator('vera', { role: 'viewer' }) },
    support: { identity: await listeners.operator('sue', { role: 'support' }) },
    tenant: { identity: undefined, headers: { authorization: `Bearer ${apiKey}` } },
  }
  const path = `${api}/cells/cell-a/resize`
  for (const [who, caller] of Object.entries(callers)) {
    const refused = await listeners.call(path, { ...caller, body: { size: 'standard' } }).catch((error) => error)
    if (who === 'tenant') expect(refused).toBeInstanceOf(Error)
    else expect(refused).toMatchObject({ status: 403 })
  }
  expect(await sizeOf('cell-a')).toBe('small')
  expect(await resize('cell-none', { size: 'standard' })).toMatchObject({ status: 404 })
})

test('refuses while a rollout of the region is open, which would be judged by it, and not while a namespace moves', async () => {
  for (const id of ['cell-a', 'cell-b']) await cell(id)
  const { body: rollout } = await listeners.call(`${api}/rollouts`, { body: { region, image: 'ami-2' } })
  expect(await resize('cell-a', { size: 'standard' })).toMatchObject({
    status: 400,
    body: { message: expect.stringContaining(`the rollout ${rollout.id}, which is canary: let it end first`) },
  })
  expect(await sizeOf('cell-a')).toBe('small')
  // What it is already needs nothing.
  expect(await resize('cell-a', { size: 'small' })).toMatchObject({ status: 200 })
  await listeners.call(`${api}/rollouts/${rollout.id}/cancel`, { method: 'POST' })
  await admin.query(
    `insert into namespaces (id, tenant_id, name, region, spec, created_by, cell_id, state)
     values ('one.abcde', 'abcde', 'one', $1, '{}', 'usr-1', 'cell-a', 'active')`,
    [region],
  )
  await admin.query(
    `insert into moves (id, namespace_id, source_cell_id, target_cell_id, requested_by)
     values ('move-1', 'one.abcde', 'cell-a', 'cell-b', 'ada')`,
  )
  expect(await resize('cell-a', { size: 'standard' })).toMatchObject({ status: 200 })
})

test('refuses what the region’s nodeLimit has no room for: half grown, the cell would stay as it is', async () => {
  // The region may have 100 machines: 7 × 12 of others and the 13 that it takes to grow are 97, and 3 more fit.
  for (let index = 0; index < 7; index += 1) await cell(`cell-full-${index}`, { size: 'standard' })
  for (const id of ['cell-a', 'cell-b']) await cell(id)
  await cell('cell-going', { size: 'standard', state: 'deleting' })
  expect(await resize('cell-a', { size: 'standard' })).toMatchObject({ status: 200 })
  expect(await resize('cell-b', { size: 'standard' })).toMatchObject({
    status: 400,
    body: { message: expect.stringContaining('would need 109 machines, and its nodeLimit is 100: raise it first') },
  })
  expect(await sizeOf('cell-b')).toBe('small')
})
