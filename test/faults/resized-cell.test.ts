import { Client } from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemActor } from '#libs/authz'
import { slotsOf } from '#libs/domain/cells'
import { hasEdge, type NodeRole, servicesOf } from '#libs/domain/nodes'
import { setCellSize } from '#libs/store/cells'
import { createTestDatabase, type TestDatabase } from '../harness/postgres.ts'
import { SmallWorld } from './small-world.ts'

let testDatabase: TestDatabase
let admin: Client
let world: SmallWorld
let cellId: string
const namespaces = ['one.abcde', 'two.abcde']
const everything = ['edge', 'frontend', 'history', 'internal-frontend', 'matching', 'worker']

beforeEach(async () => {
  testDatabase = await createTestDatabase()
  admin = new Client({ connectionString: testDatabase.adminUrl })
  await admin.connect()
  await admin.query("insert into tenants (id, name) values ('abcde', 'Example')")
  world = new SmallWorld(testDatabase, { cellSize: 'small' })
  for (const id of namespaces) {
    const name = id.replace('.abcde', '')
    await admin.query(
      `insert into namespaces (id, tenant_id, name, region, spec, created_by)
       values ($1, 'abcde', $2, 'aws-us-east-1', $3, 'usr-1')`,
      [id, name, { name, regions: ['aws-us-east-1'], retentionDays: 3 }],
    )
  }
  await world.settle()
  const { rows } = await admin.query<{ id: string }>("select id from cells where state = 'ready'")
  expect(rows).toHaveLength(1)
  cellId = rows[0]?.id ?? ''
})
afterEach(async () => {
  await world.database.close()
  await admin.end()
  await testDatabase.drop()
})

interface NodeLine {
  readonly id: string
  readonly state: string
  readonly role: NodeRole
  readonly slot: string
}

async function nodes(): Promise<readonly NodeLine[]> {
  const { rows } = await admin.query<NodeLine>(
    "select id, state, role, slot from nodes where cell_id = $1 and state <> 'deleted' order by created_at",
    [cellId],
  )
  return rows
}

async function grow(): Promise<void> {
  const proof = systemActor('resized-cell').authorize('cell', 'update', { cellId })
  await world.database.all.transaction().execute((trx) => setCellSize(trx, proof, 'standard', world.now))
}

async function round(): Promise<void> {
  // Rounds take seconds of the world's clock and none of Postgres', by which a permit to launch counts for a minute.
  await admin.query("update nodes set launch_permitted_at = now() - interval '2 minutes' where state = 'deleted'")
  await world.passCell(cellId)
  for (const { id } of await nodes()) await world.passNode(id)
}

/** What tenants of the cell find: every service on a node that is ready, and their namespaces, which its edges are told of. */
async function expectServed(): Promise<void> {
  const ready = (await nodes()).filter(({ state }) => state === 'ready')
  const able = new Set(ready.flatMap(({ role }) => [...servicesOf(role), ...(hasEdge(role) ? ['edge'] : [])]))
  expect([...able].toSorted()).toEqual(everything)
  const { rows } = await admin.query(
    "select id from namespaces where cell_id = $1 and served and state = 'active' order by id",
    [cellId],
  )
  expect(rows.map(({ id }) => id)).toEqual(namespaces)
  const { rows: cells } = await admin.query('select state from cells where id = $1', [cellId])
  expect(cells).toEqual([{ state: 'ready' }])
}

type Trouble = 'none' | 'a machine of either size dies' | 'no capacity for the last ones'

test.each<[Trouble, SmallWorld['loss']]>([
  ['none', undefined],
  ['none', { step: 'launch-node', when: 'after' }],
  ['none', { step: 'delete-node', when: 'before' }],
  ['a machine of either size dies', undefined],
  ['no capacity for the last ones', undefined],
])('a small cell becomes a standard one while it works (trouble: %s, loss: %o)', async (trouble, loss) => {
  const old = (await nodes()).map(({ id }) => id)
  expect(old).toHaveLength(3)
  const slots = slotsOf('standard')
  await grow()
  world.loss = loss
  if (trouble === 'no capacity for the last ones') world.driver.setCapacity(10)
  let most = 0
  let isDone = false
  for (let rounds = 0; rounds < 120 && !isDone; rounds += 1) {
    await round()
    if (trouble === 'a machine of either size dies' && rounds === 12) {
      for (const { id, slot } of await nodes()) if (['all-1', 'matching-0'].includes(slot)) world.driver.lose(id)
    }
    if (rounds === 30) world.driver.setCapacity(Number.POSITIVE_INFINITY)
    await expectServed()
    const there = await nodes()
    most = Math.max(most, there.length, (await world.driver.list()).length)
    expect(most).toBeLessThanOrEqual(slots.length + 1)
    isDone = there.every(({ state, slot }) => state === 'ready' && slots.some(({ id }) => id === slot))
  }
  // The cell hears of the last one.
  await round()
  expect(world.loss).toBeUndefined()
  expect((await nodes()).map(({ slot }) => slot).toSorted()).toEqual(slots.map(({ id }) => id).toSorted())
  const machines = (await world.driver.list()).map(({ nodeId }) => nodeId)
  expect(machines.toSorted()).toEqual((await nodes()).map(({ id }) => id).toSorted())
  expect(machines.filter((id) => old.includes(id))).toEqual([])
  // The limit was used, so that it was seen to hold.
  expect(most).toBe(slots.length + 1)
  const { rows } = await admin.query(
    "select conditions->'ready'->>'status' as ready, bootstrapped_at is not null as once from cells where id = $1",
    [cellId],
  )
  expect(rows).toEqual([{ ready: 'true', once: true }])
})
