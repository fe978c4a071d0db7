import { afterAll, beforeAll, expect, test } from 'vitest'
import { slotsOf } from '#libs/domain/cells'
import { FakeDriver } from '../../../apps/provisioner/drivers/fake/driver.ts'
import type { Outward } from '../../../apps/provisioner/reconcilers/outward.ts'
import { graceMs, launchOf, OrphanFixture } from './orphan-fixture.ts'

let rows: OrphanFixture
beforeAll(async () => {
  rows = await OrphanFixture.start()
})
afterAll(() => rows[Symbol.asyncDispose]())

const roundMs = 15_000
const steps = 60
const states = ['creating', 'ready', 'failed', 'draining', 'deleting', 'deleted'] as const

/** The same numbers for the same seed: a failure names its seed. */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296
    return state / 4_294_967_296
  }
}

interface NodeModel {
  readonly id: string
  readonly cellId: string
  readonly slotId: string
  state: (typeof states)[number]
  machineId: string | undefined
}

/** What the rows say and when each thing in the world was first without an owner, kept beside the database by the test. */
class Model {
  readonly cells = new Map<string, 'ready' | 'deleting' | 'deleted'>([
    ['cell-1', 'ready'],
    ['cell-2', 'ready'],
  ])
  readonly nodes = new Map<string, NodeModel>()
  readonly orphanSince = new Map<string, number>()
  readonly driver: FakeDriver
  readonly #next: () => number
  #made = 0

  constructor(driver: FakeDriver, seed: number) {
    this.driver = driver
    this.#next = random(seed)
  }

  chance(share: number): boolean {
    return this.#next() < share
  }

  pick<Item>(items: readonly Item[]): Item | undefined {
    return items[Math.floor(this.#next() * items.length)]
  }

  async change(): Promise<void> {
    const node = this.pick([...this.nodes.values()])
    const kind = Math.floor(this.#next() * 8)
    if (kind <= 1) await this.addNode()
    else if (kind === 2 && node !== undefined) await this.moveOn(node)
    // A late writer launches whatever its row says by now; the next one does it twice.
    else if (kind === 3 && node !== undefined) await this.driver.launch(launchOf(node.id, node))
    else if (kind === 4 && node !== undefined) await this.duplicate(node)
    else if (kind === 5 && node !== undefined) this.leaveVolume(node)
    else if (kind === 6 && node !== undefined) await this.expose(node)
    else if (kind === 7 && this.chance(0.2)) await this.moveCellOn()
  }

  async addNode(): Promise<void> {
    const cellId = this.pick([...this.cells].filter(([, state]) => state === 'ready').map(([id]) => id))
    if (cellId === undefined) return
    this.#made += 1
    const slotId = this.pick(['all-0', 'all-1', 'odd-9']) ?? 'all-0'
    const node: NodeModel = { id: `node-${this.#made}`, cellId, slotId, state: 'creating', machineId: undefined }
    this.nodes.set(node.id, node)
    // Its row first, as every launch has it.
    await rows.node(node.id, { cellId, slot: slotId, state: 'creating' })
    if (this.chance(0.8)) await this.driver.launch(launchOf(node.id, node))
  }

  async moveOn(node: NodeModel): Promise<void> {
    if (node.state === 'deleted') return
    node.state = this.pick(states) ?? node.state
    await rows.admin.query('update nodes set state = $2 where id = $1', [node.id, node.state])
    if (node.state === 'deleted' && this.chance(0.5)) await this.driver.delete(node.id)
  }

  async duplicate(node: NodeModel): Promise<void> {
    if (!(await this.machines()).includes(node.id)) return
    this.#made += 1
    this.driver.duplicate(node.id, `machine-${this.#made}`)
    if (!this.chance(0.7)) return
    node.machineId = this.pick([node.id, `machine-${this.#made}`])
    await rows.admin.query('update nodes set machine_id = $2 where id = $1', [node.id, node.machineId])
  }

  leaveVolume({ id, cellId }: NodeModel): void {
    this.#made += 1
    const age = this.chance(0.5) ? { createdAt: rows.clock.now() } : {}
    this.driver.leaveVolume({ id: `vol-${this.#made}`, cellId, owner: id, ...age })
  }

  async expose({ id, cellId, slotId }: NodeModel): Promise<void> {
    if ((await this.machines()).includes(id)) await this.driver.expose({ nodeId: id, cellId, slotId })
  }

  async moveCellOn(): Promise<void> {
    const id = this.pick([...this.cells.keys()])
    if (id === undefined || this.cells.get(id) === 'deleted') return
    const state = this.cells.get(id) === 'ready' ? 'deleting' : 'deleted'
    if (state === 'deleted' && [...this.nodes.values()].some((node) => node.cellId === id && node.state !== 'deleted'))
      return
    this.cells.set(id, state)
    await rows.admin.query('update cells set state = $2 where id = $1', [id, state])
  }

  async machines(): Promise<readonly string[]> {
    return (await this.driver.list()).map((machine) => machine.nodeId)
  }

  /** Everything in the world, each with whether something owns it. Written anew here, from the rules and not from the collector. */
  async world(): Promise<ReadonlyMap<string, boolean | undefined>> {
    const there = new Map<string, boolean | undefined>()
    const listed = await this.driver.list()
    for (const { nodeId, machineId } of listed) {
      const node = this.nodes.get(nodeId)
      const all = listed.filter((other) => other.nodeId === nodeId).map((other) => other.machineId)
      if (node === undefined || node.state === 'deleted') there.set(`machine ${machineId}`, false)
      else if (all.length === 1 || node.machineId === machineId) there.set(`machine ${machineId}`, true)
      // Which of them is the node's, the row does not say.
      else there.set(`machine ${machineId}`, all.includes(node.machineId ?? '') ? false : undefined)
    }
    for (const { kind, id, cellId, owner } of await this.driver.listResources()) {
      const live = [...this.nodes.values()].filter((node) => node.state !== 'deleted')
      const isOwned =
        kind === 'volume'
          ? live.some((node) => node.id === owner) || listed.some((machine) => machine.nodeId === owner)
          : live.some((node) => node.cellId === cellId && node.slotId === owner) ||
            (this.cells.get(cellId) !== 'deleted' && slotsOf('small').some((slot) => slot.id === owner))
      there.set(`${kind} ${id}`, isOwned)
    }
    return there
  }
}

/** Dies at one of its calls, before or after the effect: nothing else of that round happens. */
function mortal(model: Model): Outward {
  const dies = model.chance(0.3)
  const calls = Math.floor(model.chance(0.5) ? 0 : 1)
  let done = 0
  let dead = false
  return async (_step, call) => {
    if (dead) throw new Error('dead')
    dead = dies && done === calls
    done += 1
    if (dead && model.chance(0.5)) throw new Error('dies before')
    const result = await call()
    if (dead) throw new Error('dies after')
    return result
  }
}

/** One round, which fails in one of many ways if it may. */
async function round(model: Model, isTroubled: boolean): Promise<void> {
  const { driver } = model
  if (isTroubled && model.chance(0.5)) {
    driver.failNext(model.pick(['list', 'listResources'] as const) ?? 'list', 'throttled')
  }
  await rows.round(driver, isTroubled ? { outward: mortal(model) } : {}).catch(() => undefined)
  // A failure that was not met is none of the next round's.
  await driver.list().catch(() => undefined)
  await driver.listResources().catch(() => undefined)
}

type Things = ReadonlyMap<string, boolean | undefined>

/** @returns how many orphans there are that were not there before. */
function expectRules({ orphanSince }: Model, before: Things, after: Things, step: number): number {
  const now = rows.clock.now().getTime()
  let fresh = 0
  for (const [thing, isOwned] of before) {
    if (isOwned !== false) expect(after.has(thing), `step ${step}: ${thing} was owned`).toBe(true)
    if (isOwned !== false || orphanSince.has(thing)) continue
    orphanSince.set(thing, now)
    fresh += 1
  }
  for (const [thing, since] of orphanSince) {
    if (after.get(thing) !== false) orphanSince.delete(thing)
    else expect(now - since, `step ${step}: ${thing} is still there`).toBeLessThan(graceMs + 60_000)
  }
  return fresh
}

test.each(Array.from({ length: 12 }, (_, index) => index + 1))(
  'world %i: nothing that is owned goes, and every orphan is gone a minute after its grace',
  { timeout: 60_000 },
  async (seed) => {
    await rows.clear()
    for (const id of ['cell-1', 'cell-2']) await rows.cell(id, { size: 'small' })
    const model = new Model(new FakeDriver({ clock: rows.clock }), seed)
    let isTroubled = false
    let orphans = 0
    for (let step = 0; step < steps; step += 1) {
      for (let change = 0; change < 3; change += 1) await model.change()
      const before = await model.world()
      isTroubled = !isTroubled && model.chance(0.3)
      await round(model, isTroubled)
      orphans += expectRules(model, before, await model.world(), step)
      rows.clock.pass(roundMs)
    }
    expect(orphans).toBeGreaterThan(5)
  },
)
