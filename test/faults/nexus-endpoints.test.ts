import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { nexusEndpointUrl } from '#libs/domain/edges'
import { createTestDatabase, type TestDatabase } from '../harness/postgres.ts'
import { SmallWorld } from './small-world.ts'

let testDatabase: TestDatabase
let admin: Client
let world: SmallWorld

beforeEach(async () => {
  testDatabase = await createTestDatabase()
  admin = new Client({ connectionString: testDatabase.adminUrl })
  await admin.connect()
  world = new SmallWorld(testDatabase)
  await admin.query(`
    insert into tenants (id, name) values ('aaaaa', 'One'), ('bbbbb', 'Other');
    insert into cells (id, region, driver, state, namespace_limit, history_shards, server_version, database_name, database_password_sealed)
    values ('cell-1', 'aws-us-east-1', 'fake', 'ready', 10, 64, '1.32.2', 'cell_1', 'x')`)
  for (const id of ['target.aaaaa', 'caller.aaaaa', 'target.bbbbb', 'caller.bbbbb']) await namespace(id, 'cell-1')
})
afterEach(async () => {
  await world.database.close()
  await admin.end()
  await testDatabase.drop()
})

async function namespace(id: string, cell: string | null): Promise<void> {
  const [name, tenant] = id.split('.')
  await admin.query(
    `insert into namespaces (id, tenant_id, name, region, spec, created_by, cell_id, state)
     values ($1, $2, $3, 'aws-us-east-1', '{}', 'x', $4, 'active')`,
    [id, tenant, name, cell],
  )
}

async function ask(id: string, name: string, target: string, callers: readonly string[] = []): Promise<void> {
  const tenant = target.split('.')[1]
  await admin.query(
    `insert into nexus_endpoints (id, tenant_id, name, target_namespace_id, target_task_queue, allowed_namespace_ids, created_by)
     values ($1, $2, $3, $4, 'queue', $5, 'usr-1')`,
    [id, tenant, name, target, callers],
  )
  await operation(id, 1)
}

async function change(id: string, set: string, state = 'updating'): Promise<void> {
  const { rows } = await admin.query(
    `update nexus_endpoints set ${set}, state = $2, generation = generation + 1 where id = $1 returning generation`,
    [id, state],
  )
  await operation(id, Number(rows[0]?.generation))
}

const remove = (id: string) => change(id, "waiting_for = ''", 'deleting')

async function operation(id: string, generation: number): Promise<void> {
  await admin.query(
    `insert into operations (tenant_id, id, rpc, request_hash, request, resource_kind, resource_id, generation, state, requested_by, deadline_at)
     select tenant_id, $1 || '-' || $2::text, 'Rpc', '', '', 'nexus_endpoint', $1, $2::bigint, 'pending', 'usr-1', now() + interval '1 hour'
     from nexus_endpoints where id = $1`,
    [id, generation],
  )
}

async function operations(): Promise<unknown[]> {
  const { rows } = await admin.query('select state, failure_reason from operations order by id')
  return rows
}

async function rowOf(id: string) {
  const { rows } = await admin.query('select state, served, cell_id, generation from nexus_endpoints where id = $1', [
    id,
  ])
  return rows[0]
}

const fulfilled = { state: 'fulfilled', failure_reason: '' }
const names = async () => (await world.cell.listNexusEndpoints()).map((endpoint) => endpoint.name).sort()
const both = (steps: readonly string[]) =>
  steps.flatMap((step) => [
    { step, when: 'before' as const },
    { step, when: 'after' as const },
  ])
const creation = ['nexus-serve', 'nexus-register']
const deletion = ['nexus-withdraw', 'nexus-unregister']

describe('a provisioner that is lost before and after each outward call', () => {
  test.each(both(creation))('creates all the same: $when $step', async (loss) => {
    await ask('nexus-1', 'payments', 'target.aaaaa', ['caller.aaaaa'])
    world.loss = loss
    await world.settle()
    expect(world.loss).toBeUndefined()
    expect(await operations()).toEqual([fulfilled])
    expect(await names()).toEqual(['payments'])
    expect(await rowOf('nexus-1')).toMatchObject({ state: 'active', served: true, cell_id: 'cell-1' })
  })

  test.each(both(['nexus-serve', 'nexus-unregister', 'nexus-register']))(
    'renames all the same: $when $step',
    async (loss) => {
      await ask('nexus-1', 'payments', 'target.aaaaa')
      await world.settle()
      await change('nexus-1', "name = 'renamed'")
      world.loss = loss
      await world.settle()
      expect(world.loss).toBeUndefined()
      await world.collectNexusEndpoints()
      await world.settle()
      expect(await operations()).toEqual([fulfilled, fulfilled])
      expect(await names()).toEqual(['renamed'])
    },
  )

  test.each(both(deletion))('deletes all the same: $when $step', async (loss) => {
    await ask('nexus-1', 'payments', 'target.aaaaa')
    await world.settle()
    await remove('nexus-1')
    world.loss = loss
    await world.settle()
    expect(world.loss).toBeUndefined()
    expect(await operations()).toEqual([fulfilled, fulfilled])
    expect(await names()).toEqual([])
    expect(await rowOf('nexus-1')).toMatchObject({ state: 'deleted', served: false })
  })
})

test('every step has a loss before and after it above', async () => {
  await ask('nexus-1', 'payments', 'target.aaaaa')
  await world.settle()
  await change('nexus-1', "name = 'renamed'")
  await world.settle()
  await remove('nexus-1')
  await world.settle()
  expect(new Set(world.steps)).toEqual(new Set([...creation, ...deletion]))
})

test('a lost answer of the registration is found out', async () => {
  await ask('nexus-1', 'payments', 'target.aaaaa')
  world.cell.loseNextAnswer('registerNexusEndpoint')
  await world.settle()
  expect(world.cell.calls.filter((call) => call.method === 'registerNexusEndpoint')).toHaveLength(2)
  expect(await operations()).toEqual([fulfilled])
})

describe('a name that two tenants have', () => {
  test('is one on the cell, and goes with the last of them', async () => {
    await ask('nexus-1', 'payments', 'target.aaaaa')
    await ask('nexus-2', 'payments', 'target.bbbbb')
    await world.settle()
    expect(await names()).toEqual(['payments'])
    await remove('nexus-1')
    await world.settle()
    expect(await names()).toEqual(['payments'])
    await remove('nexus-2')
    await world.settle()
    expect(await names()).toEqual([])
    expect(await operations()).toEqual([fulfilled, fulfilled, fulfilled, fulfilled])
  })

  test('comes back when it went as the other one came', async () => {
    await ask('nexus-1', 'payments', 'target.aaaaa')
    await world.settle()
    await remove('nexus-1')
    // Between the look for others and the deletion, the other one comes, and finds the name there.
    const { cell } = world
    const deleteIt = cell.deleteNexusEndpoint.bind(cell)
    cell.deleteNexusEndpoint = async (name) => {
      cell.deleteNexusEndpoint = deleteIt
      await ask('nexus-2', 'payments', 'target.bbbbb')
      for (let pass = 0; pass < 5; pass += 1) await world.passNexusEndpoint('nexus-2')
      expect(await rowOf('nexus-2')).toMatchObject({ state: 'active' })
      await deleteIt(name)
    }
    await world.settle()
    expect(await rowOf('nexus-1')).toMatchObject({ state: 'deleted' })
    expect(await rowOf('nexus-2')).toMatchObject({ state: 'active' })
    expect(await names()).toEqual(['payments'])
  })
})

describe('the collector', () => {
  test('deletes a name that no row wants, and leaves what is not ours', async () => {
    await ask('nexus-1', 'payments', 'target.aaaaa')
    await world.settle()
    await world.cell.registerNexusEndpoint({ name: 'by-hand', url: 'https://example.com' })
    await world.cell.registerNexusEndpoint({ name: 'orphan', url: nexusEndpointUrl('orphan') })
    expect(await world.collectNexusEndpoints()).toBe(1)
    expect(await names()).toEqual(['by-hand', 'payments'])
    expect(await rowOf('nexus-1')).toMatchObject({ state: 'active' })
  })

  test('finds a name that the cell has lost, and it is made again', async () => {
    await ask('nexus-1', 'payments', 'target.aaaaa')
    await world.settle()
    await world.cell.deleteNexusEndpoint('payments')
    await world.collectNexusEndpoints()
    expect(await rowOf('nexus-1')).toMatchObject({ state: 'updating' })
    await world.settle()
    expect(await names()).toEqual(['payments'])
  })
})

describe('another cell', () => {
  beforeEach(async () => {
    await admin.query(`
      insert into cells (id, region, driver, state, namespace_limit, history_shards, server_version, database_name, database_password_sealed)
      values ('cell-2', 'aws-us-east-1', 'fake', 'ready', 10, 64, '1.32.2', 'cell_2', 'x')`)
  })

  test('a caller on another cell fails the operation with a reason, and nothing is made', async () => {
    await namespace('abroad.aaaaa', 'cell-2')
    await ask('nexus-1', 'payments', 'target.aaaaa', ['caller.aaaaa', 'abroad.aaaaa'])
    await world.settle()
    expect(await operations()).toEqual([
      { state: 'failed', failure_reason: expect.stringContaining('abroad.aaaaa may not be allowed to call it') },
    ])
    expect(await rowOf('nexus-1')).toMatchObject({ state: 'activation_failed', served: false })
    expect(await names()).toEqual([])
  })

  test('an endpoint waits until its namespaces have a cell', async () => {
    await namespace('new.aaaaa', null)
    await ask('nexus-1', 'payments', 'target.aaaaa', ['new.aaaaa'])
    expect(await world.passNexusEndpoint('nexus-1')).toMatchObject({ kind: 'again' })
    expect(await rowOf('nexus-1')).toMatchObject({ state: 'activating', served: false })
    await admin.query("update namespaces set cell_id = 'cell-1' where id = 'new.aaaaa'")
    await world.settle()
    expect(await operations()).toEqual([fulfilled])
  })

  test('a target on another cell takes the endpoint along', async () => {
    await namespace('abroad.aaaaa', 'cell-2')
    await ask('nexus-1', 'payments', 'target.aaaaa')
    await world.settle()
    await change('nexus-1', "target_namespace_id = 'abroad.aaaaa'")
    world.steps.length = 0
    await world.settle()
    expect(world.steps).toEqual(['nexus-withdraw', 'nexus-unregister', 'nexus-serve', 'nexus-register'])
    expect(await rowOf('nexus-1')).toMatchObject({ state: 'active', served: true, cell_id: 'cell-2' })
    expect(await operations()).toEqual([fulfilled, fulfilled])
  })
})
