import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hasEdge, type NodeRole, servicesOf } from '#libs/domain/nodes'
import { type CellSize, mayBecome, slotsOf } from './size.ts'
import { bootMs, type CellNodes, machineLimit, planNodes, type SlotNode, unhealthyMs } from './slot-plan.ts'

const now = 1_000_000
const made = (slotId: string, change: Partial<SlotNode> = {}): SlotNode => ({
  nodeId: `${slotId}-old`,
  slotId,
  state: 'ready',
  templateHash: 'a',
  seenAt: now - 1_000,
  readyAt: now - 500,
  drainMs: 5_000,
  ...change,
})
const cell = (change: Partial<CellNodes> = {}): CellNodes => {
  const slots = change.slots ?? slotsOf('small')
  const nodes = slots.map(({ id }) => made(id))
  return { slots, templateHash: 'a', bootstrapped: true, nodes, now, ...change }
}
/** `<kind> <slot or node>` */
const said = (nodes: CellNodes) =>
  planNodes(nodes).map((action) => `${action.kind} ${action.kind === 'add' ? action.slot.id : action.nodeId}`)

describe('planNodes', () => {
  it('leaves a cell alone that is as it is to be', () => {
    expect(said(cell())).toEqual([])
  })

  it('starts the first node of a new cell alone, and then all others', () => {
    const empty = cell({ slots: slotsOf('standard'), nodes: [], bootstrapped: false })
    expect(said(empty)).toEqual(['add history-0'])
    const first = cell({ ...empty, nodes: [made('history-0', { state: 'creating' })] })
    expect(said(first)).toEqual([])
    expect(said({ ...first, nodes: [made('history-0')], bootstrapped: true })).toHaveLength(11)
  })

  it('deletes what is dead, and fills its slot when it is gone', () => {
    const dead = [made('all-0', { state: 'failed' }), made('all-1'), made('all-2')]
    expect(said(cell({ nodes: dead }))).toEqual(['delete all-0-old'])
    expect(said(cell({ nodes: [made('all-0', { state: 'deleting' }), made('all-1'), made('all-2')] }))).toEqual([])
    expect(said(cell({ nodes: [made('all-1'), made('all-2')] }))).toEqual(['add all-0'])
  })

  it('replaces what is outdated one at a time, and only while all others work', () => {
    expect(said(cell({ templateHash: 'b' }))).toEqual(['add all-0'])
    const replacing = [...cell().nodes, made('all-0', { nodeId: 'new', templateHash: 'b', state: 'creating' })]
    expect(said(cell({ templateHash: 'b', nodes: replacing }))).toEqual([])
    const sick = [made('all-0'), made('all-1'), made('all-2', { state: 'creating', unreadySince: now - 1 })]
    expect(said(cell({ templateHash: 'b', nodes: sick }))).toEqual([])
  })

  it('drains the old one when the new one is ready, and deletes it when it has drained', () => {
    const ready = made('all-0', { nodeId: 'new', templateHash: 'b' })
    expect(said(cell({ templateHash: 'b', nodes: [...cell().nodes, ready] }))).toEqual(['drain all-0-old'])
    const draining = (since: number) => [
      made('all-0', { state: 'draining', drainingSince: since }),
      ...[ready, made('all-1'), made('all-2')],
    ]
    expect(said(cell({ templateHash: 'b', nodes: draining(now - 4_999) }))).toEqual([])
    expect(said(cell({ templateHash: 'b', nodes: draining(now - 5_000) }))).toEqual(['delete all-0-old'])
  })

  it('replaces what will be taken before what is only outdated, the soonest first', () => {
    const retiring = [
      made('all-0'),
      made('all-1', { retireReason: 'maintenance', retireBy: now + 9 }),
      made('all-2', { retireReason: 'interruption', retireBy: now + 5 }),
    ]
    expect(said(cell({ templateHash: 'b', nodes: retiring }))).toEqual(['add all-2'])
  })

  it('takes a broken change back at once: what never was ready goes, what works stays', () => {
    const broken = made('all-0', { nodeId: 'new', templateHash: 'b', state: 'creating', readyAt: undefined as never })
    const { readyAt: _, ...never } = broken
    expect(said(cell({ nodes: [...cell().nodes, never] }))).toEqual(['delete new'])
  })

  it('gives up a node that does not get ready, and one that is sick while others are not', () => {
    const { readyAt: _, ...never } = made('all-0', { state: 'creating', seenAt: now - bootMs })
    expect(said(cell({ nodes: [never, made('all-1'), made('all-2')] }))).toEqual(['delete all-0-old'])
    const sick = (slotId: string) => made(slotId, { state: 'creating', unreadySince: now - unhealthyMs })
    expect(said(cell({ nodes: [sick('all-0'), made('all-1'), made('all-2')] }))).toEqual(['delete all-0-old'])
    // All at once: it is the database, and no machine.
    expect(said(cell({ nodes: ['all-0', 'all-1', 'all-2'].map(sick) }))).toEqual([])
  })

  it('grows without losing what it has, and keeps to its limit', () => {
    const standard = slotsOf('standard')
    const growing = cell({ slots: standard, nodes: cell().nodes })
    expect(said(growing)).toHaveLength(10)
    const there = standard.slice(0, 10).map(({ id }) => made(id))
    expect(said({ ...growing, nodes: [...cell().nodes, ...there] })).toEqual(['drain all-2-old'])
    const all = standard.map(({ id }) => made(id))
    expect(said({ ...growing, nodes: [...all, made('all-0')] })).toEqual(['drain all-0-old'])
  })
})

it('lets a cell grow to what its history shards are enough for, and never shrink', () => {
  expect(mayBecome('small', 'standard', 512)).toBe(true)
  expect(mayBecome('dev', 'small', 64)).toBe(false)
  expect(mayBecome('standard', 'small', 512)).toBe(false)
})

const roles = new Map(
  (['dev', 'small', 'standard'] as const).flatMap((size) => slotsOf(size).map(({ id, role }) => [id, role] as const)),
)

/** What happens to one machine between two looks; most of the time nothing. */
type Event = 'dies' | 'falls sick' | 'retires' | 'never comes up' | 'nothing'

/** A world in which nodes do what their reconcilers and the provider do to them. */
class Nodes {
  cell: CellNodes
  #made = 0
  readonly #most: number
  readonly #doomed = new Set<string>()

  constructor(size: CellSize) {
    this.cell = { slots: slotsOf(size), templateHash: 'a', bootstrapped: false, nodes: [], now }
    this.#most = machineLimit(this.cell.slots)
  }

  /** One pass of the cell, and then one of every node. */
  pass(events: readonly Event[], mayCrash: boolean): void {
    const actions = planNodes(this.cell)
    // A crash loses all of it: the changes of one plan are one transaction.
    if (!mayCrash) {
      for (const action of actions) {
        if (action.kind === 'add') this.#add(action.slot.id)
        else if (action.kind === 'drain') this.#set(action.nodeId, { state: 'draining', drainingSince: this.cell.now })
        else this.#set(action.nodeId, { state: 'deleting' })
      }
    }
    expect(this.cell.nodes.length).toBeLessThanOrEqual(this.#most)
    for (const [index, node] of this.cell.nodes.entries()) this.#live(node, events[index] ?? 'nothing')
    this.cell = {
      ...this.cell,
      now: this.cell.now + 1_000,
      bootstrapped: this.cell.bootstrapped || this.cell.nodes.some(({ state }) => state === 'ready'),
    }
  }

  #add(slotId: string): void {
    this.#made += 1
    const node = made(slotId, { nodeId: `node-${this.#made}`, state: 'creating', templateHash: this.cell.templateHash })
    const { readyAt: _, seenAt: __, ...fresh } = node
    this.cell = { ...this.cell, nodes: [...this.cell.nodes, fresh] }
  }

  #live(node: SlotNode, event: Event): void {
    const { nodeId, state } = node
    if (state === 'deleting') {
      this.cell = { ...this.cell, nodes: this.cell.nodes.filter((other) => other.nodeId !== nodeId) }
    } else if (event === 'dies') this.#set(nodeId, { state: 'failed' })
    else if (event === 'falls sick' && state === 'ready')
      this.#set(nodeId, { state: 'creating', unreadySince: this.cell.now })
    else if (event === 'retires') this.#set(nodeId, { retireReason: 'maintenance' })
    else if (event === 'never comes up' && node.readyAt === undefined) this.#doomed.add(nodeId)
    else if (state === 'creating' && !this.#doomed.has(nodeId)) {
      this.#set(nodeId, { state: 'ready', seenAt: this.cell.now, readyAt: node.readyAt ?? this.cell.now })
    } else if (state === 'creating') this.#set(nodeId, { seenAt: node.seenAt ?? this.cell.now })
  }

  #set(nodeId: string, change: Partial<SlotNode>): void {
    const nodes = this.cell.nodes.map((node) => (node.nodeId === nodeId ? { ...node, ...change } : node))
    this.cell = { ...this.cell, nodes }
  }

  get isWhole(): boolean {
    const { nodes, slots, templateHash } = this.cell
    return (
      nodes.length === slots.length &&
      slots.every(({ id }) => nodes.some((node) => node.slotId === id && node.state === 'ready')) &&
      nodes.every((node) => node.templateHash === templateHash && node.retireReason === undefined)
    )
  }

  /** What the cell can do right now: services, and `edge`. */
  get abilities(): ReadonlySet<string> {
    const ready = this.cell.nodes.filter(({ state }) => state === 'ready')
    return new Set(
      ready.flatMap(({ slotId }) => {
        const role: NodeRole = roles.get(slotId) ?? 'all'
        return [...servicesOf(role), ...(hasEdge(role) ? ['edge'] : [])]
      }),
    )
  }
}

const event = fc.oneof(
  { weight: 12, arbitrary: fc.constant<Event>('nothing') },
  { weight: 1, arbitrary: fc.constantFrom<Event>('dies', 'falls sick', 'retires', 'never comes up') },
)

it('never has more than one machine too many, and always ends whole, whatever dies and whenever a pass is lost', () => {
  const round = fc.record({
    events: fc.array(fc.oneof({ weight: 9, arbitrary: event }, { weight: 1, arbitrary: fc.constant<Event>('dies') }), {
      minLength: 13,
      maxLength: 13,
    }),
    crash: fc.boolean(),
    template: fc.constantFrom('a', 'b', 'c', undefined),
  })
  fc.assert(
    fc.property(
      fc.constantFrom<CellSize>('dev', 'small', 'standard'),
      fc.array(round, { maxLength: 40 }),
      (size, rounds) => {
        const world = new Nodes(size)
        for (const { events, crash, template } of rounds) {
          if (template !== undefined) world.cell = { ...world.cell, templateHash: template }
          world.pass(events, crash)
        }
        // Nothing happens any more: it comes to rest, at most after the time that a boot may take.
        for (let pass = 0; pass < bootMs / 1_000 + 300 && !world.isWhole; pass += 1) world.pass([], false)
        expect(world.isWhole).toBe(true)
        expect(planNodes(world.cell)).toEqual([])
      },
    ),
    { numRuns: 150 },
  )
})

it.each(['dev', 'small', 'standard'] as const)('rolls a whole %s cell without ever losing what it can do', (size) => {
  const world = new Nodes(size)
  for (let pass = 0; pass < 10 && !world.isWhole; pass += 1) world.pass([], false)
  const all = world.abilities
  expect(all).toEqual(new Set(['frontend', 'internal-frontend', 'history', 'matching', 'worker', 'edge']))
  world.cell = { ...world.cell, templateHash: 'b' }
  let passes = 0
  for (; passes < 200 && !world.isWhole; passes += 1) {
    world.pass([], false)
    expect(world.abilities).toEqual(all)
  }
  expect(world.isWhole).toBe(true)
})

it('becomes a larger cell without ever losing what it can do', () => {
  const world = new Nodes('small')
  for (let pass = 0; pass < 10 && !world.isWhole; pass += 1) world.pass([], false)
  const grown = new Nodes('standard')
  grown.cell = { ...world.cell, slots: slotsOf('standard') }
  const all = world.abilities
  for (let pass = 0; pass < 200 && !grown.isWhole; pass += 1) {
    grown.pass([], false)
    expect(grown.abilities).toEqual(all)
  }
  expect(grown.isWhole).toBe(true)
})

it.each([0, 1, 2, 3, 5, 8, 12])(
  'comes to its end when its template changes %i passes after it began to grow',
  (after) => {
    const world = new Nodes('small')
    for (let pass = 0; pass < 10 && !world.isWhole; pass += 1) world.pass([], false)
    const grown = new Nodes('standard')
    grown.cell = { ...world.cell, slots: slotsOf('standard') }
    const all = world.abilities
    for (let pass = 0; pass < 300; pass += 1) {
      if (pass === after) grown.cell = { ...grown.cell, templateHash: 'b' }
      grown.pass([], false)
      expect(grown.abilities).toEqual(all)
    }
    expect(grown.isWhole).toBe(true)
  },
)
