import type { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { systemClock } from '#libs/base'
import type { Database } from '#libs/store'
import { createLogger } from '#libs/telemetry'
import { forgetOldOperations } from '../../../apps/provisioner/collectors/ended-operations.ts'
import { collectOrphanNamespaces } from '../../../apps/provisioner/collectors/orphan-namespaces.ts'
import { failOverdueOperations } from '../../../apps/provisioner/collectors/overdue-operations.ts'
import { ownerKey } from '../../../apps/provisioner/reconcilers/namespaces/execute.ts'
import type { Outward } from '../../../apps/provisioner/reconcilers/outward.ts'
import { FakeCellClient } from '../../../apps/provisioner/temporal/fake-cell-client.ts'
import { openProvisionerDatabase, type ProvisionerDatabase } from '../../harness/provisioner-database.ts'

const logger = createLogger('test', 'silent')
const outward: Outward = (_step, call) => call()
let opened: ProvisionerDatabase
let admin: Client
let database: Database

beforeAll(async () => {
  opened = await openProvisionerDatabase()
  ;({ admin, database } = opened)
  await admin.query("insert into tenants (id, name) values ('abcde', 'Example')")
})
afterAll(async () => {
  await opened[Symbol.asyncDispose]()
})
beforeEach(async () => {
  await admin.query('truncate operations, namespace_grants, namespaces, nodes, cells cascade')
  await admin.query(`
    insert into cells (id, region, driver, state, namespace_limit, history_shards, server_version, database_name, database_password_sealed)
    values ('cell-1', 'aws-us-east-1', 'fake', 'ready', 10, 64, '1.32.2', 'cell_1', 'x')`)
})

test('a namespace that its row does not want there is deleted; what is wanted, made by hand or older than the database stays', async () => {
  const cell = new FakeCellClient()
  const register = (name: string, data: Record<string, string>) =>
    cell.registerNamespace({ name, retentionDays: 1, description: '', data })
  await register('owned.abcde', { [ownerKey]: 'abcde' })
  await register('moved.abcde', { [ownerKey]: 'abcde' })
  await register('restored.abcde', { [ownerKey]: 'abcde' })
  await register('deleted.abcde', { [ownerKey]: 'abcde' })
  await register('by-hand', {})
  await admin.query(`
    insert into namespaces (id, tenant_id, name, region, spec, created_by, cell_id, state) values
    ('owned.abcde', 'abcde', 'owned', 'aws-us-east-1', '{}', 'x', 'cell-1', 'activating'),
    ('moved.abcde', 'abcde', 'moved', 'aws-us-east-1', '{}', 'x', null, 'active'),
    ('deleted.abcde', 'abcde', 'deleted', 'aws-us-east-1', '{}', 'x', 'cell-1', 'deleted')`)
  expect(await collectOrphanNamespaces({ database, logger, outward, cellClient: async () => cell })).toBe(2)
  expect((await cell.listNamespaces()).map((namespace) => namespace.name).sort()).toEqual([
    'by-hand',
    'owned.abcde',
    'restored.abcde',
  ])
})

test('an operation past its deadline fails with what it waited for, and its namespace with it', async () => {
  await admin.query(`
    insert into namespaces (id, tenant_id, name, region, spec, created_by, state) values
    ('late.abcde', 'abcde', 'late', 'aws-us-east-1', '{}', 'x', 'activating')`)
  await admin.query(`
    insert into operations (tenant_id, id, rpc, request_hash, request, resource_kind, resource_id, generation, state, waiting_for, requested_by, deadline_at)
    values ('abcde', 'op', 'CreateNamespace', '', '', 'namespace', 'late.abcde', 1, 'in_progress', 'the cell is coming up', 'x', now() - interval '1 second')`)
  expect(await failOverdueOperations({ database, logger })).toBe(1)
  const { rows } = await admin.query(
    'select o.state, o.failure_reason, n.state as namespace from operations o join namespaces n on n.id = o.resource_id',
  )
  expect(rows).toEqual([
    { state: 'failed', failure_reason: 'not done in time: the cell is coming up', namespace: 'activation_failed' },
  ])
  expect(await failOverdueOperations({ database, logger })).toBe(0)
})

test('an operation on a Nexus endpoint that is past its deadline fails alike', async () => {
  await admin.query(`
    insert into namespaces (id, tenant_id, name, region, spec, created_by, state) values
    ('target.abcde', 'abcde', 'target', 'aws-us-east-1', '{}', 'x', 'active')`)
  await admin.query(`
    insert into nexus_endpoints (id, tenant_id, name, target_namespace_id, target_task_queue, allowed_namespace_ids, created_by)
    values ('nexus-late', 'abcde', 'payments', 'target.abcde', 'q', '{}', 'x')`)
  await admin.query(`
    insert into operations (tenant_id, id, rpc, request_hash, request, resource_kind, resource_id, generation, state, requested_by, deadline_at)
    values ('abcde', 'op', 'CreateNexusEndpoint', '', '', 'nexus_endpoint', 'nexus-late', 1, 'pending', 'x', now() - interval '1 second')`)
  expect(await failOverdueOperations({ database, logger })).toBe(1)
  const { rows } = await admin.query(
    'select o.state, o.failure_reason, e.state as endpoint from operations o join nexus_endpoints e on e.id = o.resource_id',
  )
  expect(rows).toEqual([
    { state: 'failed', failure_reason: 'not done in time: nobody has begun it', endpoint: 'activation_failed' },
  ])
})

test('an operation is kept for a week after its end, and one that has not ended for ever', async () => {
  const insert = (id: string, state: string, finishedAt: string | null) =>
    admin.query(
      `insert into operations (tenant_id, id, rpc, request_hash, request, resource_kind, resource_id, state, requested_by, deadline_at, created_at, finished_at)
       values ('abcde', $1, 'UpdateUser', '', '', 'user', 'x', $2, 'x', now(), now() - interval '30 days', $3)`,
      [id, state, finishedAt],
    )
  const ago = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString()
  await insert('old', 'fulfilled', ago(8))
  await insert('old-failure', 'failed', ago(8))
  await insert('young', 'fulfilled', ago(6))
  await insert('open', 'pending', null)
  expect(await forgetOldOperations({ database, clock: systemClock })).toBe(2)
  const { rows } = await admin.query('select id from operations order by id')
  expect(rows.map(({ id }) => id)).toEqual(['open', 'young'])
})
