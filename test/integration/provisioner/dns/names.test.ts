import type { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { systemClock } from '#libs/base'
import { sealer } from '#libs/sealing'
import type { Database } from '#libs/store'
import { createLogger } from '#libs/telemetry'
import { compareZones } from '../../../../apps/provisioner/collectors/zone-records.ts'
import { FakeDns } from '../../../../apps/provisioner/dns/fake-dns.ts'
import { keptNames } from '../../../../apps/provisioner/dns/kept-names.ts'
import { publishCellNames } from '../../../../apps/provisioner/reconcilers/names/cell-names.ts'
import { reconcileNamespace } from '../../../../apps/provisioner/reconcilers/namespaces/reconcile.ts'
import type { Outward } from '../../../../apps/provisioner/reconcilers/outward.ts'
import { FakeCellClient } from '../../../../apps/provisioner/temporal/fake-cell-client.ts'
import { testMasterKey } from '../../../harness/master-key.ts'
import { openProvisionerDatabase, type ProvisionerDatabase } from '../../../harness/provisioner-database.ts'

/** The names of cells and namespaces, from their rows to a zone. */

const logger = createLogger('test', 'silent')
const outward: Outward = (_step, call) => call()
const domain = 'aqueduct.example.com'
const graceMs = 30_000
let opened: ProvisionerDatabase
let admin: Client
let database: Database
let dns: FakeDns
let cell: FakeCellClient

beforeAll(async () => {
  opened = await openProvisionerDatabase()
  ;({ admin, database } = opened)
  await admin.query("insert into tenants (id, name) values ('abcde', 'Example')")
})
afterAll(async () => {
  await opened[Symbol.asyncDispose]()
})
beforeEach(async () => {
  dns = new FakeDns()
  cell = new FakeCellClient()
  await admin.query('truncate operations, namespace_grants, namespaces, nodes, cells, sightings cascade')
  await admin.query(`
    insert into cells (id, region, driver, state, namespace_limit, history_shards, server_version, database_name, database_password_sealed)
    values ('cell-1', 'aws-us-east-1', 'fake', 'ready', 10, 64, '1.32.2', 'cell_1', 'x'),
      ('cell-2', 'aws-us-east-1', 'fake', 'ready', 10, 64, '1.32.2', 'cell_2', 'x')`)
  await admin.query(`
    insert into nodes (id, cell_id, driver, state, role, public_address) values
    ('node-1', 'cell-1', 'fake', 'ready', 'edge', '203.0.113.1'), ('node-2', 'cell-1', 'fake', 'ready', 'edge', '203.0.113.2'),
    ('node-3', 'cell-1', 'fake', 'ready', 'history', '203.0.113.3'), ('node-4', 'cell-2', 'fake', 'ready', 'all', '203.0.113.4')`)
})

const publish = () => publishCellNames({ database, logger, outward, dnsOf: () => dns, domain })
const compare = (laterMs = 0) =>
  compareZones({
    database,
    logger,
    outward,
    dnsOf: () => dns,
    domain,
    graceMs,
    regions: ['aws-us-east-1', 'aws-eu-west-1'],
    clock: { now: () => new Date(Date.now() + laterMs) },
  })
const pass = () =>
  reconcileNamespace(
    {
      database,
      logger,
      outward,
      sealer: sealer(Buffer.from(testMasterKey)),
      clock: systemClock,
      cellClient: async () => cell,
      edge: {
        ensureCertificate: async () => undefined,
        awaitServing: async (_cell, _namespace, generation) => ({ kind: 'serving', generation }),
        awaitAbsence: async () => ({ kind: 'absent' }),
      },
      names: keptNames(() => dns, domain),
      regions: [],
      namespaceLimit: 10,
    },
    'payments.abcde',
  )
async function ask(): Promise<void> {
  await admin.query(
    `insert into namespaces (id, tenant_id, name, region, spec, created_by, cell_id)
     values ('payments.abcde', 'abcde', 'payments', 'aws-us-east-1', '{"retentionDays": 3}', 'usr-1', 'cell-1')`,
  )
  await admin.query(
    `insert into operations (tenant_id, id, rpc, request_hash, request, resource_kind, resource_id, generation, state, requested_by, deadline_at)
     values ('abcde', 'op', 'Rpc', '', '', 'namespace', 'payments.abcde', 1, 'pending', 'usr-1', now() + interval '1 hour')`,
  )
}
const one = async (sql: string): Promise<unknown> => Object.values((await admin.query(sql)).rows[0] ?? {})[0]
const where = () => dns.lookup(`payments.abcde.${domain}`)?.values

test('the name of a cell leads to its edges that are ready, and one that drains leaves it', async () => {
  await publish()
  expect(dns.lookup(`cell-1.cells.${domain}`)).toMatchObject({ type: 'A', values: ['203.0.113.1', '203.0.113.2'] })
  expect(dns.lookup(`cell-2.cells.${domain}`)?.values).toEqual(['203.0.113.4'])
  dns.calls.length = 0
  await publish()
  expect(dns.calls).toEqual([])
  await admin.query("update nodes set state = 'draining' where id = 'node-1'")
  await publish()
  expect(dns.lookup(`cell-1.cells.${domain}`)?.values).toEqual(['203.0.113.2'])
  // With nothing in its place, the last one stays: resolvers would remember that there was nothing.
  await admin.query("update nodes set state = 'draining' where id = 'node-2'")
  await publish()
  expect(dns.lookup(`cell-1.cells.${domain}`)?.values).toEqual(['203.0.113.2'])
  await admin.query("update cells set state = 'deleted' where id = 'cell-1'")
  await publish()
  expect(dns.lookup(`cell-1.cells.${domain}`)).toBeUndefined()
  expect(await one("select name_observed from cells where id = 'cell-1'")).toBeNull()
})

test('a lost answer about a cell is made up for, and one cell that cannot be named stops no other', async () => {
  dns.loseNextAnswer('ensure')
  dns.failNext('ensure', 'throttled')
  await publish()
  await publish()
  expect(dns.lookup(`cell-1.cells.${domain}`)?.values).toHaveLength(2)
  expect(dns.lookup(`cell-2.cells.${domain}`)?.values).toHaveLength(1)
  expect(await one("select count(*)::int from cells where name_observed ->> 'kind' = 'present'")).toBe(2)
})

test('an operation is fulfilled only once the name was accepted, and the name goes with the namespace', async () => {
  await ask()
  await pass()
  expect(await one('select state from operations')).toBe('in_progress')
  expect(await one('select waiting_for from operations')).toBe('the name of its cell is not published yet')
  await publish()
  dns.loseNextAnswer('ensure')
  await pass()
  expect(await one('select state from operations')).toBe('in_progress')
  await pass()
  expect(await one('select state from operations')).toBe('fulfilled')
  expect(where()).toEqual([`cell-1.cells.${domain}`])
  await admin.query("update namespaces set state = 'deleting', generation = 2")
  await pass()
  expect(where()).toBeUndefined()
  expect(await one('select name_observed from namespaces')).toBeNull()
})

test('a name that somebody else has is left as it is, and the operation says so', async () => {
  await ask()
  await publish()
  const theirs = { name: `payments.abcde.${domain}`, type: 'A', values: ['198.51.100.1'], ttl: 300 } as const
  dns.addForeign(theirs)
  await pass()
  expect(await one('select state from operations')).toBe('in_progress')
  expect(await one('select waiting_for from operations')).toContain('somebody else')
  expect(where()).toEqual(['198.51.100.1'])
  await admin.query("update namespaces set state = 'deleting', generation = 2")
  await pass()
  expect(where()).toEqual(['198.51.100.1'])
})

test('records that no row wants any more go after their grace, and whatever a row owns stays', async () => {
  await ask()
  await publish()
  await pass()
  const record = (id: string) => ({ name: `${id}.${domain}`, type: 'CNAME', values: ['x'], ttl: 60 }) as const
  await admin.query(`
    insert into namespaces (id, tenant_id, name, region, spec, created_by, cell_id, state) values
    ('gone.abcde', 'abcde', 'gone', 'aws-us-east-1', '{}', 'x', 'cell-1', 'deleted'),
    ('coming.abcde', 'abcde', 'coming', 'aws-us-east-1', '{}', 'x', 'cell-1', 'activating')`)
  for (const id of ['gone.abcde', 'coming.abcde', 'never.abcde']) await dns.ensure(record(id))
  expect(await compare()).toBe(0)
  expect(await compare(graceMs - 1_000)).toBe(0)
  expect(await compare(graceMs + 1_000)).toBe(1)
  expect(dns.lookup(`gone.abcde.${domain}`)).toBeUndefined()
  for (const kept of ['payments.abcde', 'coming.abcde', 'never.abcde', 'cell-1.cells', 'cell-2.cells']) {
    expect(dns.lookup(`${kept}.${domain}`), kept).toBeDefined()
  }
})

test('a record that was taken away or changed by hand is set back', async () => {
  await ask()
  await publish()
  await pass()
  await dns.remove(`payments.abcde.${domain}`)
  await dns.ensure({ name: `cell-1.cells.${domain}`, type: 'A', values: ['198.51.100.1'], ttl: 60 })
  await compare()
  expect(where()).toEqual([`cell-1.cells.${domain}`])
  expect(dns.lookup(`cell-1.cells.${domain}`)?.values).toEqual(['203.0.113.1', '203.0.113.2'])
})

test('a moved namespace keeps its name, which leads to its new cell', async () => {
  await ask()
  await publish()
  await pass()
  await admin.query(`update namespaces set cell_id = 'cell-2', state = 'updating', generation = generation + 1`)
  await pass()
  expect(where()).toEqual([`cell-2.cells.${domain}`])
})
