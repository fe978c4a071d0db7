import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readPriceFile } from '../../../apps/api/operator/price-file.ts'
import { Listeners } from './listener.ts'

let listeners: Listeners
let admin: Client
beforeAll(async () => {
  listeners = await Listeners.start()
  admin = new Client({ connectionString: listeners.adminUrl })
  await admin.connect()
  await admin.query("insert into tenants (id, name) values ('abcde', 'Example')")
  await cell('cell-a', 'ec2', 'aws-us-east-1')
  for (const [index, type] of ['m7i.large', 'm7i.large', 'm7a.large'].entries()) {
    await node(`node-a${index}`, 'cell-a', type, `all-${index}`)
  }
  // It is replaced: both machines are paid for, and the address is the slot's.
  await node('node-a3', 'cell-a', 'm7i.large', 'all-0')
  // Not launched yet; gone.
  await admin.query("insert into nodes (id, cell_id, driver) values ('node-a4', 'cell-a', 'ec2')")
  await node('node-a5', 'cell-a', 'm7i.large', 'all-1', 'deleted')
  await cell('cell-b', 'ec2', 'aws-us-east-1')
  await node('node-b', 'cell-b', 'x9.huge', 'all-0')
  await cell('cell-c', 'local', 'aws-us-west-2')
  await node('node-c', 'cell-c', null, 'all-0')
  await cell('cell-gone', 'ec2', 'aws-us-east-1', 'deleted')
  for (const [name, spec, state] of [
    ['one', '{}', 'active'],
    ['two', '{"capacity": {"mode": "on_demand"}}', 'active'],
    ['three', '{"capacity": {"mode": "provisioned", "units": 4}}', 'active'],
    ['four', '{}', 'deleted'],
  ]) {
    await admin.query(
      `insert into namespaces (id, tenant_id, name, region, spec, created_by, cell_id, state)
       values ($1, 'abcde', $2, 'aws-us-east-1', $3, 'x', 'cell-a', $4)`,
      [`${name}.abcde`, name, spec, state],
    )
  }
})
afterAll(async () => {
  await admin.end()
  await listeners.close()
})

async function cell(id: string, driver: string, region: string, state = 'ready'): Promise<void> {
  await admin.query(
    `insert into cells (id, region, driver, state, size, namespace_limit, history_shards, server_version, database_name, database_password_sealed, databases_observed)
     values ($1, $2, $3, $4, 'small', 1000, 512, '1.32.2', $1, 'x', '{"kind": "present"}')`,
    [id, region, driver, state],
  )
}

async function node(id: string, cellId: string, type: string | null, slot: string, state = 'ready'): Promise<void> {
  await admin.query(
    `insert into nodes (id, cell_id, driver, slot, state, instance_type, observed, public_address)
     values ($1, $2, 'x', $3, $4, $5, '{"kind": "present"}', '198.18.0.1')`,
    [id, cellId, slot, state, type],
  )
}

const get = async (path: string) => (await listeners.call(`/operator/v1${path}`)).body

test('a cell costs what its machines, volumes, addresses and its share of the database cost, by hand', async () => {
  expect(await get('/cells/cell-a/cost')).toEqual({
    prices: { currency: 'USD', month: '2026-06', source: expect.stringContaining('us-east-1') },
    cell: {
      cellId: 'cell-a',
      region: 'aws-us-east-1',
      driver: 'ec2',
      size: 'small',
      // 0.11592 + 0.3024 + 0.021918 + 0.015 + 0.084
      perHour: '0.539238',
      isComplete: true,
      items: [
        { kind: 'machine', type: 'm7a.large', quantity: 1, perHour: '0.115920' },
        { kind: 'machine', type: 'm7i.large', quantity: 3, perHour: '0.302400' },
        { kind: 'volume', quantity: 200, perHour: '0.021918' },
        { kind: 'address', quantity: 3, perHour: '0.015000' },
        { kind: 'database', quantity: 1, perHour: '0.084000' },
      ],
      perNamespaceHour: '0.179746',
      fullness: {
        namespaces: 3,
        namespaceLimit: 1000,
        // Two on demand, and four units.
        requestsPerSecondAsked: 12_000,
        diskGib: 200,
      },
    },
  })
})

test('an unknown type has no price, and nobody is told a share of what is not known', async () => {
  const { cell: shown } = await get('/cells/cell-b/cost')
  expect(shown).toMatchObject({ isComplete: false, perHour: '0.094479' })
  expect(shown.items[0]).toEqual({ kind: 'machine', type: 'x9.huge', quantity: 1 })
  expect(shown).not.toHaveProperty('perNamespaceHour')
})

test('local nodes cost nothing, and the table says so', async () => {
  const { cell: shown } = await get('/cells/cell-c/cost')
  expect(shown).toMatchObject({ isComplete: true, perHour: '0.000000' })
  expect(shown.items[0]).toEqual({ kind: 'machine', type: 'local', quantity: 1, perHour: '0.000000' })
})

test('all cells together, each, by region and by pages', async () => {
  const all = await get('/costs')
  expect(all.total).toMatchObject({ cells: 3, namespaces: 3, isComplete: false, perHour: '0.633717' })
  expect(all.cells.map(({ cellId }: { cellId: string }) => cellId)).toEqual(['cell-a', 'cell-b', 'cell-c'])
  const west = await get('/costs?region=aws-us-west-2')
  expect(west.total).toMatchObject({ cells: 1, perHour: '0.000000', isComplete: true })
  const first = await get('/costs?pageSize=2')
  expect(first.cells).toHaveLength(2)
  // The sum is of all, whatever the page.
  expect(first.total).toEqual(all.total)
  const second = await get(`/costs?pageSize=2&pageToken=${encodeURIComponent(first.nextPageToken)}`)
  expect(second.cells.map(({ cellId }: { cellId: string }) => cellId)).toEqual(['cell-c'])
  expect(second.nextPageToken).toBe('')
})

test('a cell that is not there is not found', async () => {
  expect((await listeners.call('/operator/v1/cells/cell-none/cost')).status).toBe(404)
})

test('what no row owns is listed, page by page, with how much was collected', async () => {
  await admin.query(`
    insert into sightings (scope, kind, id, cell_id, stranger, first_seen_at, asked_at) values
    ('driver ec2', 'volume', 'vol-1', 'cell-gone', false, '2026-01-01T00:00:00Z', '2026-01-01T00:01:00Z'),
    ('driver ec2', 'node', 'node-x', 'cell-x', true, '2026-01-01T00:00:00Z', null)`)
  await admin.query(
    "insert into collected (kind, total, last_at) values ('volume', 7, '2026-01-01T00:01:00Z'), ('address', 1, '2026-01-01T00:01:00Z')",
  )
  const page = await get('/orphans?pageSize=1')
  expect(page.kinds).toEqual([
    { kind: 'address', waiting: 0, strangers: 0, collected: 1, lastCollectedAt: '2026-01-01T00:01:00.000Z' },
    { kind: 'node', waiting: 0, strangers: 1, collected: 0 },
    { kind: 'volume', waiting: 1, strangers: 0, collected: 7, lastCollectedAt: '2026-01-01T00:01:00.000Z' },
  ])
  expect(page.orphans).toEqual([
    {
      scope: 'driver ec2',
      kind: 'node',
      id: 'node-x',
      cellId: 'cell-x',
      stranger: true,
      firstSeenAt: '2026-01-01T00:00:00.000Z',
    },
  ])
  const next = await get(`/orphans?pageSize=1&pageToken=${encodeURIComponent(page.nextPageToken)}`)
  expect(next.orphans).toMatchObject([{ id: 'vol-1', askedAt: '2026-01-01T00:01:00.000Z' }])
})

test('the operator’s own file is read instead, and one that is wrong is named', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'aqueduct-prices-'))
  try {
    const file = join(directory, 'prices.json')
    writeFileSync(file, '{"currency": "EUR", "month": "2026-11", "source": "our contract", "drivers": {}}')
    expect(readPriceFile(file)).toMatchObject({ currency: 'EUR', month: '2026-11' })
    writeFileSync(file, '{"currency": "euros"}')
    expect(() => readPriceFile(file)).toThrow(`AQUEDUCT_PRICES_FILE: ${file}: currency must be a code`)
    expect(() => readPriceFile(join(directory, 'none.json'))).toThrow('ENOENT')
  } finally {
    await rm(directory, { recursive: true })
  }
})
