import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../harness/postgres.ts'
import type { FleetReplica } from './fleet-replica.ts'
import { FleetWorld } from './fleet-world.ts'
import { inventoryOfRows, inventoryOfWorld } from './inventory.ts'
import { Life, lifeInOrder, type PartOfLife, partsOfLife, questions } from './life.ts'

/** Milliseconds that a fault may cost: leases end, clocks come round, orphans come of age. */
const convergedMs = 60_000

let testDatabase: TestDatabase
let admin: Client
let world: FleetWorld
let life: Life
let steady: FleetReplica
const replicas: FleetReplica[] = []
/** By part: how long it takes when nothing goes wrong, and which calls it makes. */
const undisturbed = new Map<PartOfLife, { readonly ms: number; readonly steps: ReadonlySet<string> }>()

beforeAll(async () => {
  testDatabase = await createTestDatabase()
  admin = new Client({ connectionString: testDatabase.adminUrl })
  await admin.connect()
  await admin.query("insert into tenants (id, name) values ('abcde', 'Example')")
  world = new FleetWorld(testDatabase, admin)
  life = new Life(world)
  steady = newReplica()
  // One cell has come and gone already: what it was may turn up again.
  for (const part of ['create', 'remove', 'retire'] as const) await lived(part)
  for (const part of lifeInOrder) {
    steady.steps.length = 0
    undisturbed.set(part, { ms: await lived(part), steps: new Set(steady.steps) })
  }
}, 60_000)
afterAll(async () => {
  await Promise.all(replicas.map(({ database }) => database.close()))
  await admin.end()
  await testDatabase.drop()
})

function newReplica(): FleetReplica {
  const replica = world.replica()
  replicas.push(replica)
  return replica
}

/** Lives on, without a fault, until the part can begin. */
async function liveUntil(part: PartOfLife): Promise<void> {
  const { rows } = await admin.query<{ cells: number; namespaces: number }>(
    `select (select count(*)::int from cells where state = 'ready') as cells,
       (select count(*)::int from namespaces where state = 'active') as namespaces`,
  )
  const { cells, namespaces } = rows[0] ?? { cells: 0, namespaces: 0 }
  if (part === 'create') return cells > 0 ? end(namespaces) : undefined
  if (namespaces > 0 ? part !== 'retire' : part === 'retire' && cells > 0) return
  if (namespaces === 0) await lived('create')
  if (part === 'retire') await lived('remove')
}

/** @returns milliseconds that it took. */
async function lived(part: PartOfLife): Promise<number> {
  await life[part]()
  return world.converge(() => steady)
}

async function end(namespaces: number): Promise<void> {
  if (namespaces > 0) await lived('remove')
  await lived('retire')
}

async function expectRowsToEqualWorld(): Promise<void> {
  expect(await inventoryOfWorld(world)).toEqual(await inventoryOfRows(world))
}

/** How long the part took, less what it takes when nothing goes wrong. */
function delayOf(part: PartOfLife, ms: number): number {
  return ms - (undisturbed.get(part)?.ms ?? 0)
}

test.each(lifeInOrder)('every outward call of it is tried below: %s', (part) => {
  expect([...(undisturbed.get(part)?.steps ?? [])].toSorted()).toEqual([...partsOfLife[part]].toSorted())
})

const kills = lifeInOrder.flatMap((part) =>
  partsOfLife[part]
    .filter((step) => part === 'create' || !questions.includes(step))
    .flatMap((step) => (['killed-before', 'killed-after'] as const).map((kind) => ({ part, step, kind }))),
)

describe('a provisioner is killed, and another one comes', () => {
  test.each(kills)('$part: $kind $step', async ({ part, step, kind }) => {
    await liveUntil(part)
    const victim = newReplica()
    victim.trouble = { step, kind }
    await life[part]()
    // The victim does it all, until it is gone; whoever comes then has only the rows.
    const ms = await world.converge(() => victim)
    expect(victim.trouble).toBeUndefined()
    expect(delayOf(part, ms)).toBeLessThanOrEqual(convergedMs)
    await expectRowsToEqualWorld()
  })
})

/** What the others do meanwhile: the world is another one when the sleeper goes on with its old plan. */
const meanwhile: Readonly<Record<PartOfLife, PartOfLife>> = {
  create: 'renew',
  change: 'change',
  die: 'renew',
  renew: 'renew',
  litter: 'renew',
  remove: 'retire',
  retire: 'create',
}
/** Rounds have no lease: what they do late is set right by the next one. */
const ofRounds: readonly string[] = ['publish-cell-name', 'withdraw-cell-name', ...partsOfLife.litter]
const sleeps = lifeInOrder.flatMap((part) =>
  partsOfLife[part]
    .filter((step) => !questions.includes(step) && step !== 'serve-at-edge')
    .flatMap((step) => (['asleep', 'in-flight'] as const).map((kind) => ({ part, step, kind }))),
)

describe('a provisioner is stopped for longer than its leases, and goes on with an old plan', () => {
  let offset = 0
  beforeAll(() => {
    const now = performance.now.bind(performance)
    vi.spyOn(performance, 'now').mockImplementation(() => now() + offset)
  })
  afterAll(() => {
    vi.restoreAllMocks()
  })

  test.each(sleeps)('$part: $kind $step', async ({ part, step, kind }) => {
    await liveUntil(part)
    const sleeper = newReplica()
    sleeper.trouble = { step, kind }
    await life[part]()
    await world.converge(() => (sleeper.isAsleep ? steady : sleeper))
    expect(sleeper.isAsleep).toBe(true)
    await lived(meanwhile[part])
    const before = await inventoryOfWorld(world)
    offset += 60_000
    const made = sleeper.made.length
    await sleeper.wake()
    if (kind === 'asleep' && !ofRounds.includes(step)) {
      expect(sleeper.made.slice(made)).toEqual([])
      expect(await inventoryOfWorld(world)).toEqual(before)
    }
    expect(await world.converge((turn) => (turn % 2 === 0 ? steady : sleeper))).toBeLessThanOrEqual(convergedMs)
    await expectRowsToEqualWorld()
  })
})

describe('every outward call is made more than once', () => {
  test.each(['twice', 'side by side'] as const)('%s', async (calls) => {
    await liveUntil('create')
    const replica = newReplica()
    replica.calls = calls
    for (const part of lifeInOrder) {
      await life[part]()
      expect(delayOf(part, await world.converge(() => replica))).toBeLessThanOrEqual(convergedMs)
      await expectRowsToEqualWorld()
    }
  })
})

test('the public address of a slot comes back to its node, when a call that was late led it to another', async () => {
  await liveUntil('change')
  const { rows } = await admin.query<{ id: string; cell_id: string; slot: string }>(
    "select id, cell_id, slot from nodes where state = 'ready' order by cell_id, slot limit 2",
  )
  const [own, other] = rows
  if (own === undefined || other === undefined) throw new Error('there are no two nodes')
  await world.driver.expose({ nodeId: other.id, cellId: own.cell_id, slotId: own.slot })
  expect(world.driver.exposedNode(own.cell_id, own.slot)).toBe(other.id)
  expect(await world.converge(() => steady)).toBeLessThan(convergedMs)
  expect(world.driver.exposedNode(own.cell_id, own.slot)).toBe(own.id)
})
