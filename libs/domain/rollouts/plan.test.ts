import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type CellLook,
  type CellProgress,
  planRollout,
  type Rollout,
  type RolloutCell,
  type RolloutStep,
} from '#libs/domain/rollouts'

const well: CellLook = { nodes: 'whole', progressAt: 0, detail: '' }
const cell = (cellId: string, progress: CellProgress, more: Partial<RolloutCell> = {}): RolloutCell => ({
  cellId,
  progress,
  since: 0,
  judged: true,
  breaks: 0,
  ready: true,
  look: well,
  ...more,
})
const rollout: Rollout = {
  state: 'canary',
  canaryCellId: 'b',
  cellsAtOnce: 1,
  soakMs: 600,
  nodeMs: 1_000,
  unwellMs: 60,
}
const kinds = (steps: readonly RolloutStep[]) =>
  steps.map((step) => ('cellId' in step ? `${step.kind} ${step.cellId}` : step.kind))

describe('planRollout', () => {
  const waiting = [cell('a', 'waiting'), cell('c', 'waiting')]
  const underWay: CellLook = { nodes: 'under_way', progressAt: 0, detail: 'all-1 starts' }
  it.each([
    ['begins with the canary alone', [cell('b', 'waiting'), ...waiting], 0, ['change-cell b']],
    ['waits for its nodes', [cell('b', 'changing', { look: underWay }), ...waiting], 999, []],
    ['soaks it once it works', [cell('b', 'changing'), ...waiting], 0, ['soak-cell b']],
    ['waits while it soaks', [cell('b', 'soaking'), ...waiting], 599, []],
    ['goes on to the others', [cell('b', 'soaking'), ...waiting], 600, ['finish-cell b', 'roll']],
    [
      'soaks anew what did not work',
      [cell('b', 'soaking', { look: { ...well, unwellSince: 1 } })],
      60,
      ['stop-soak b'],
    ],
    ['rolls back when no node comes', [cell('b', 'changing', { look: underWay }), ...waiting], 1_000, ['roll-back']],
    [
      'rolls back when it does not answer',
      [cell('b', 'soaking', { look: { ...well, unwellSince: 1 } })],
      61,
      ['roll-back'],
    ],
    [
      'rolls back at once what cannot mend',
      [cell('b', 'changing', { look: { ...well, nodes: 'failing' } })],
      0,
      ['roll-back'],
    ],
    ['rolls back without its canary', [cell('b', 'soaking', { look: { ...well, nodes: 'gone' } })], 0, ['roll-back']],
  ] as const)('%s', (_, cells, now, steps) => {
    expect(kinds(planRollout(rollout, cells, now))).toEqual(steps)
  })

  it('takes cells that work first, and lets those that did not before say nothing', () => {
    const rolling: Rollout = { ...rollout, state: 'rolling', cellsAtOnce: 2 }
    const cells = [cell('a', 'waiting', { ready: false }), cell('b', 'done'), cell('c', 'waiting')]
    expect(planRollout(rolling, cells, 0)).toEqual([
      { kind: 'change-cell', cellId: 'c', judged: true },
      { kind: 'change-cell', cellId: 'a', judged: false },
    ])
    const broken = cell('a', 'changing', { judged: false, look: { ...well, nodes: 'failing' } })
    expect(kinds(planRollout(rolling, [broken, cell('b', 'done'), cell('c', 'done')], 0))).toEqual(['finish-cell a'])
  })

  it('changes no more cells at once because none of them works', () => {
    const rolling: Rollout = { ...rollout, state: 'rolling' }
    const silent: CellLook = { nodes: 'under_way', progressAt: 0, detail: 'it does not answer' }
    const cells = [
      cell('a', 'changing', { judged: false, ready: false, look: silent }),
      cell('b', 'done'),
      cell('c', 'waiting', { ready: false, look: silent }),
    ]
    expect(planRollout(rolling, cells, 999)).toEqual([])
    expect(kinds(planRollout(rolling, cells, 1_000))).toEqual(['finish-cell a', 'change-cell c'])
  })

  it('leaves deleted cells out', () => {
    const gone = cell('a', 'changing', { look: { ...well, nodes: 'gone' } })
    expect(kinds(planRollout({ ...rollout, state: 'rolling' }, [gone, cell('b', 'done')], 0))).toEqual(['end'])
    expect(kinds(planRollout({ ...rollout, state: 'rolling_back' }, [gone], 0))).toEqual(['end'])
  })

  it.each(['halted', 'done', 'rolled_back', 'cancelled'] as const)('does nothing when %s', (state) => {
    const failing = cell('b', 'changing', { look: { ...well, nodes: 'failing' } })
    expect(planRollout({ ...rollout, state }, [failing, ...waiting], 1e9)).toEqual([])
  })
})

/** A region as reconcilers would keep it: what a cell has follows what it is to have, when it can. */
interface World {
  rollout: Rollout
  cells: {
    id: string
    progress: CellProgress
    since: number
    judged: boolean
    breaks: number
    ready: boolean
    wanted: 'old' | 'new'
  }[]
  /** Which cells the new template breaks, how, and from when after the change. */
  readonly harm: ReadonlyMap<string, { readonly how: 'failing' | 'under_way' | 'unwell'; readonly afterMs: number }>
  now: number
}

function lookOf(world: World, { id, wanted, since, progress }: World['cells'][number]): CellLook {
  const harm = world.harm.get(id)
  // A cell takes 50 ms to become what it is to be.
  const isThere = world.now - since >= 50 || (progress !== 'changing' && progress !== 'reverting')
  const how = wanted === 'new' && harm !== undefined && world.now - since >= harm.afterMs ? harm.how : undefined
  if (how === 'unwell') return { ...well, unwellSince: since + (harm?.afterMs ?? 0), detail: 'silent' }
  if (how !== undefined) return { nodes: how, progressAt: since, detail: 'harmed' }
  return isThere ? well : { nodes: 'under_way', progressAt: since, detail: '' }
}

function step(world: World): readonly RolloutStep[] {
  const view = world.cells.map((one) => ({
    cellId: one.id,
    progress: one.progress,
    since: one.since,
    judged: one.judged,
    breaks: one.breaks,
    ready: one.ready,
    look: lookOf(world, one),
  }))
  const steps = planRollout(world.rollout, view, world.now)
  for (const taken of steps) apply(world, taken)
  return steps
}

const progressAfter: Readonly<Record<string, CellProgress>> = {
  'change-cell': 'changing',
  'soak-cell': 'soaking',
  'stop-soak': 'changing',
  'finish-cell': 'done',
  'revert-cell': 'reverting',
  'finish-revert': 'reverted',
}

function apply(world: World, taken: RolloutStep): void {
  if (taken.kind === 'roll') world.rollout = { ...world.rollout, state: 'rolling' }
  if (taken.kind === 'roll-back') world.rollout = { ...world.rollout, state: 'rolling_back' }
  if (taken.kind === 'end') world.rollout = { ...world.rollout, state: taken.state }
  if (!('cellId' in taken)) return
  const one = world.cells.find(({ id }) => id === taken.cellId)
  if (one === undefined) throw new Error(`no cell ${taken.cellId}`)
  one.progress = progressAfter[taken.kind] ?? one.progress
  one.since = world.now
  if (taken.kind === 'stop-soak') one.breaks += 1
  if (taken.kind === 'change-cell') Object.assign(one, { wanted: 'new', judged: taken.judged })
  if (taken.kind === 'revert-cell') one.wanted = 'old'
}

const worlds = fc
  .record({
    count: fc.integer({ min: 1, max: 7 }),
    cellsAtOnce: fc.integer({ min: 1, max: 3 }),
    unready: fc.subarray([1, 2, 3, 4, 5, 6]),
    harm: fc.array(
      fc.record({
        index: fc.nat(6),
        how: fc.constantFrom('failing' as const, 'under_way' as const, 'unwell' as const),
        afterMs: fc.constantFrom(0, 55, 200),
      }),
      { maxLength: 2 },
    ),
  })
  .map(({ count, cellsAtOnce, unready, harm }): World => {
    const id = (index: number) => `cell-${index}`
    return {
      rollout: { ...rollout, canaryCellId: id(0), cellsAtOnce },
      cells: Array.from({ length: count }, (_, index) => ({
        id: id(index),
        progress: 'waiting',
        since: 0,
        judged: true,
        breaks: 0,
        ready: !unready.includes(index),
        wanted: 'old',
      })),
      harm: new Map(harm.map(({ index, how, afterMs }) => [id(index), { how, afterMs }])),
      now: 0,
    }
  })

/** One tick, and what has to hold whatever happens. @returns how long the canary has soaked by now, at most. */
function tick(world: World, soakedFor: number): number {
  const [canary, ...others] = world.cells
  const steps = step(world)
  expect(soakedFor >= rollout.soakMs || others.every(({ wanted }) => wanted === 'old')).toBe(true)
  const changing = others.filter(({ progress, judged }) => progress === 'changing' && judged)
  expect(changing.length).toBeLessThanOrEqual(world.rollout.cellsAtOnce)
  const kindsTaken = steps.map(({ kind }) => kind)
  if (kindsTaken.includes('roll-back')) expect(kindsTaken).toEqual(['roll-back'])
  if (world.rollout.state === 'rolling_back') expect(kindsTaken).not.toContain('change-cell')
  world.now += 10
  return canary?.progress === 'soaking' ? Math.max(soakedFor, world.now - canary.since) : soakedFor
}

function run(world: World): void {
  let soakedFor = 0
  for (let ticks = 0; ticks < 2_000; ticks += 1) {
    if (world.rollout.state === 'done' || world.rollout.state === 'rolled_back') return
    soakedFor = tick(world, soakedFor)
  }
}

describe('a region under a rollout', () => {
  it('changes the canary first and alone, few at once, and ends with all cells changed or none', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        run(world)
        const wanted = new Set(world.cells.map((one) => one.wanted))
        expect([world.rollout.state, ...wanted]).toEqual(wanted.has('new') ? ['done', 'new'] : ['rolled_back', 'old'])
        // Harm at once to a cell that worked before never ends well.
        const isHarmed = world.cells.some(({ id, ready }) => ready && world.harm.get(id)?.afterMs === 0)
        if (isHarmed) expect(world.rollout.state).toBe('rolled_back')
        if (world.harm.size === 0) expect(world.rollout.state).toBe('done')
      }),
      { numRuns: 300 },
    )
  })
})
