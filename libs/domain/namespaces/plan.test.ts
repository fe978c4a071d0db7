import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Aliases,
  type CellLimits,
  cellCacheMs,
  type DesiredNamespace,
  type NamespaceStep,
  type ObservedAtEdge,
  type ObservedInCell,
  type ObservedLimits,
  type ObservedName,
  type ObservedNamespace,
  plan,
} from '#libs/domain/namespaces'

const id = 'payments.a1b2c'
const owner = 'aqueduct/payments.a1b2c'
const wanted: DesiredNamespace = {
  id,
  owner,
  retentionDays: 30,
  aliases: {},
  limits: {},
  generation: 2,
  deleted: false,
  nameTarget: undefined,
}
const present: ObservedInCell & { kind: 'present' } = { kind: 'present', owner, retentionDays: 30, aliases: {} }
const byDefault: ObservedLimits = { kind: 'default' }
const noName: ObservedName = { kind: 'absent' }
const serving: ObservedAtEdge = { kind: 'serving', generation: 2 }

const kinds = (steps: readonly NamespaceStep[]) => steps.map((step) => step.kind)

describe('plan', () => {
  const changed: ObservedInCell = { ...present, retentionDays: 7 }
  const foreign: ObservedInCell = { ...present, owner: 'somebody' }
  it.each<[string, ObservedInCell, ObservedAtEdge, readonly string[]]>([
    ['new', { kind: 'absent' }, { kind: 'absent' }, ['register', 'serve-at-edge', 'done']],
    ['lost answer', { kind: 'unknown' }, { kind: 'absent' }, ['register', 'serve-at-edge', 'done']],
    ['in the cell alone', present, { kind: 'absent' }, ['serve-at-edge', 'done']],
    ['an older edge', present, { kind: 'serving', generation: 1 }, ['serve-at-edge', 'done']],
    ['an edge not seen', present, { kind: 'unknown' }, ['serve-at-edge', 'done']],
    ['all there', present, serving, ['done']],
    ['a later edge', present, { kind: 'serving', generation: 3 }, ['done']],
    ['another retention', changed, serving, ['update-retention', 'wait-cell-cache', 'done']],
    ['just updated', { ...present, sinceUpdateMs: 500 }, serving, ['wait-cell-cache', 'done']],
    ['updated long ago', { ...present, sinceUpdateMs: cellCacheMs }, serving, ['done']],
    ['somebody else’s', foreign, { kind: 'absent' }, ['fail']],
    ['half deleted', { kind: 'deleting' }, { kind: 'absent' }, ['fail']],
  ])('wanted, %s', (_, cell, edge, steps) => {
    expect(kinds(plan(wanted, { cell, edge, limits: byDefault, name: noName }))).toEqual(steps)
  })

  it.each<[string, ObservedInCell, ObservedAtEdge, readonly string[]]>([
    ['whole', present, serving, ['remove-from-edge', 'delete-from-cell', 'confirm-deleted', 'done']],
    ['lost answer', { kind: 'unknown' }, { kind: 'absent' }, ['delete-from-cell', 'confirm-deleted', 'done']],
    ['edge unknown', { kind: 'absent' }, { kind: 'unknown' }, ['remove-from-edge', 'done']],
    ['on its way', { kind: 'deleting' }, { kind: 'absent' }, ['confirm-deleted', 'done']],
    ['never made', { kind: 'absent' }, { kind: 'absent' }, ['done']],
    ['somebody else’s', foreign, { kind: 'absent' }, ['done']],
  ])('unwanted, %s', (_, cell, edge, steps) => {
    expect(kinds(plan({ ...wanted, deleted: true }, { cell, edge, limits: byDefault, name: noName }))).toEqual(steps)
  })

  it('waits for what is left of the cell’s cache time', () => {
    expect(
      plan(wanted, { cell: { ...present, sinceUpdateMs: 500 }, edge: serving, limits: byDefault, name: noName })[0],
    ).toEqual({
      kind: 'wait-cell-cache',
      ms: cellCacheMs - 500,
    })
  })

  it.each<[string, Aliases, Aliases, readonly string[]]>([
    ['a first one', { Keyword01: 'A' }, {}, ['set-aliases', 'wait-cell-cache', 'done']],
    ['one more', { Keyword01: 'A', Int01: 'B' }, { Keyword01: 'A' }, ['set-aliases', 'wait-cell-cache', 'done']],
    [
      'another name',
      { Keyword01: 'B' },
      { Keyword01: 'A' },
      ['drop-aliases', 'set-aliases', 'wait-cell-cache', 'done'],
    ],
    ['one too many', {}, { Keyword01: 'A' }, ['drop-aliases', 'wait-cell-cache', 'done']],
    ['none but those there', { Keyword01: 'A' }, { Keyword01: 'A' }, ['done']],
  ])('search attributes: %s', (_, aliases, there, steps) => {
    const observed = { cell: { ...present, aliases: there }, edge: serving, limits: byDefault, name: noName }
    expect(kinds(plan({ ...wanted, aliases }, observed))).toEqual(steps)
  })

  it('takes every name away before it gives one, so that two may change places', () => {
    const observed = {
      cell: { ...present, aliases: { Keyword01: 'A', Keyword02: 'B', Int01: 'C' } },
      edge: serving,
      limits: byDefault,
      name: noName,
    }
    const aliases = { Keyword01: 'B', Keyword02: 'A', Int01: 'C' }
    expect(plan({ ...wanted, aliases }, observed).slice(0, 2)).toEqual([
      { kind: 'drop-aliases', id, columns: ['Keyword01', 'Keyword02'], left: { Int01: 'C' } },
      { kind: 'set-aliases', id, aliases: { Keyword01: 'B', Keyword02: 'A' }, all: aliases },
    ])
  })

  it('names the columns of a new namespace before it is served', () => {
    const observed: ObservedNamespace = {
      cell: { kind: 'absent' },
      edge: { kind: 'absent' },
      limits: byDefault,
      name: noName,
    }
    expect(kinds(plan({ ...wanted, aliases: { Keyword01: 'A' } }, observed))).toEqual([
      'register',
      'set-aliases',
      'wait-cell-cache',
      'serve-at-edge',
      'done',
    ])
  })

  const limited = { requestsPerSecond: 4_000, visibilityRequestsPerSecond: 60 }
  it.each<[string, CellLimits, ObservedLimits, readonly string[]]>([
    ['none, and none', {}, byDefault, ['done']],
    ['the first', limited, byDefault, ['ask-limits', 'await-limits', 'done']],
    ['asked for', limited, { kind: 'asked', limits: limited }, ['await-limits', 'done']],
    ['acting', limited, { kind: 'acting', limits: limited }, ['done']],
    ['others', { fairness: true }, { kind: 'acting', limits: limited }, ['ask-limits', 'await-limits', 'done']],
    [
      'others meanwhile',
      limited,
      { kind: 'asked', limits: { fairness: true } },
      ['ask-limits', 'await-limits', 'done'],
    ],
    ['none any more', {}, { kind: 'acting', limits: limited }, ['ask-limits', 'await-limits', 'done']],
  ])('limits: %s', (_, limits, observed, steps) => {
    const seen = { cell: present, edge: serving, limits: observed, name: noName }
    expect(kinds(plan({ ...wanted, limits }, seen))).toEqual(steps)
  })

  it('asks for limits before all, and waits for them before the edge', () => {
    const observed: ObservedNamespace = {
      cell: { kind: 'absent' },
      edge: { kind: 'absent' },
      limits: byDefault,
      name: noName,
    }
    expect(kinds(plan({ ...wanted, limits: limited }, observed))).toEqual([
      'ask-limits',
      'register',
      'await-limits',
      'serve-at-edge',
      'done',
    ])
  })

  it('leads the name to the cell last, and away from it first', () => {
    const named = { ...wanted, nameTarget: 'cell-1.cells.example.com' }
    const name = (target: string): ObservedName => ({ kind: 'present', target })
    const there = { cell: present, edge: serving, limits: byDefault }
    const absent: ObservedNamespace = { ...there, cell: { kind: 'absent' }, edge: { kind: 'absent' }, name: noName }
    expect(kinds(plan(named, absent))).toEqual(['register', 'serve-at-edge', 'publish-name', 'done'])
    expect(kinds(plan(named, { ...there, name: name('cell-1.cells.example.com') }))).toEqual(['done'])
    expect(kinds(plan(named, { ...there, name: name('cell-2.cells.example.com') }))).toEqual(['publish-name', 'done'])
    expect(kinds(plan(named, { ...there, name: { kind: 'unknown' } }))).toEqual(['publish-name', 'done'])
    const [first] = plan({ ...named, deleted: true }, { ...there, name: { kind: 'unknown' } })
    expect(first?.kind).toBe('withdraw-name')
  })

  const fates = fc.array(fc.constantFrom<Fate>('ok', 'before', 'after'), { maxLength: 14 })

  it('brings a namespace up, changes it and deletes it, whatever crashes in between', () => {
    fc.assert(
      fc.property(fates, fates, fates, (creating, updating, deleting) => {
        const world = new World()
        const nameTarget = 'cell-1.cells.example.com'
        world.reconcile({ ...wanted, nameTarget, aliases: { Keyword01: 'A' } }, creating)
        expect(world.pointsAt).toBe(nameTarget)
        expect(world.cell).toEqual({ owner, retentionDays: 30, aliases: { Keyword01: 'A' } })
        expect(world.edge).toBe(2)
        const aliases = { Keyword01: 'B', Keyword02: 'A' }
        world.reconcile({ ...wanted, retentionDays: 7, aliases, limits: limited, generation: 3 }, updating)
        expect(world.cell).toEqual({ owner, retentionDays: 7, aliases })
        expect(world.limits).toEqual(limited)
        expect(world.edge).toBe(3)
        world.reconcile({ ...wanted, generation: 4, deleted: true }, deleting)
        expect(world.cell).toBeUndefined()
        expect(world.pointsAt).toBeUndefined()
        expect(world.edge).toBeUndefined()
      }),
    )
  })

  it('ends when the wish changes to deletion in the middle of the creation', () => {
    fc.assert(
      fc.property(fates, fc.nat({ max: 4 }), fates, (creating, passes, deleting) => {
        const world = new World()
        world.reconcile(wanted, creating, passes)
        world.reconcile({ ...wanted, generation: 3, deleted: true }, deleting)
        expect(world.cell).toBeUndefined()
        expect(world.edge).toBeUndefined()
      }),
    )
  })
})

interface Observed {
  cell: ObservedInCell
  edge: ObservedAtEdge
  limits: ObservedLimits
  name: ObservedName
}

type Fate = 'ok' | 'before' | 'after'

/** Just enough of a cell and an edge to run plans against, and the row's memory of both. */
class World {
  cell: { owner: string; retentionDays: number; aliases: Aliases } | undefined
  edge: number | undefined
  limits: CellLimits = {}
  pointsAt: string | undefined
  #observed: Observed = {
    cell: { kind: 'absent' },
    edge: { kind: 'absent' },
    limits: { kind: 'default' },
    name: { kind: 'absent' },
  }
  #registered = false

  reconcile(desired: DesiredNamespace, fates: readonly Fate[], passes = fates.length + 14): void {
    for (let pass = 0; pass < passes; pass += 1) {
      const [step] = plan(desired, this.#observed)
      if (step === undefined || step.kind === 'done') return
      this.#execute(step, fates[pass] ?? 'ok')
    }
    if (passes === fates.length + 14) throw new Error('no end')
  }

  #execute(step: NamespaceStep, fate: Fate): void {
    switch (step.kind) {
      case 'register':
      case 'update-retention':
      case 'drop-aliases':
      case 'set-aliases':
      case 'delete-from-cell':
        return this.#call(fate, { cell: { kind: 'unknown' } }, () => this.#callCell(step))
      case 'serve-at-edge':
      case 'remove-from-edge':
        return this.#call(fate, { edge: { kind: 'unknown' } }, () => this.#callEdge(step))
      case 'publish-name':
      case 'withdraw-name':
        return this.#call(fate, { name: { kind: 'unknown' } }, () => {
          this.pointsAt = step.kind === 'publish-name' ? step.target : undefined
          return { name: this.pointsAt === undefined ? { kind: 'absent' } : { kind: 'present', target: this.pointsAt } }
        })
      case 'wait-cell-cache':
        if (fate === 'ok') this.#observed.cell = this.#look()
        return
      case 'ask-limits':
        if (fate !== 'before') this.#observed.limits = { kind: 'asked', limits: step.limits }
        return
      case 'await-limits':
        this.limits = step.limits
        if (fate === 'ok') this.#observed.limits = { kind: 'acting', limits: step.limits }
        return
      case 'confirm-deleted':
        if (fate === 'ok') this.#observed.cell = this.#look()
        return
      default:
        throw new Error(`unexpected ${step.kind}`)
    }
  }

  /** Says unknown, calls, and records what came of it, unless it crashes on the way. */
  #call(fate: Fate, unknown: Partial<Observed>, act: () => Partial<Observed>): void {
    this.#observed = { ...this.#observed, ...unknown }
    if (fate === 'before') return
    const seen = act()
    if (fate === 'ok') this.#observed = { ...this.#observed, ...seen }
  }

  #callCell(step: NamespaceStep): { cell: ObservedInCell } {
    if (step.kind === 'register') {
      this.cell ??= { owner: step.owner, retentionDays: step.retentionDays, aliases: {} }
      this.#registered = true
    }
    if (step.kind === 'update-retention') {
      if (this.cell === undefined) throw new Error('nothing to update')
      this.cell.retentionDays = step.retentionDays
      return { cell: { ...this.#present(this.cell), sinceUpdateMs: 0 } }
    }
    if (step.kind === 'drop-aliases' || step.kind === 'set-aliases') {
      if (this.cell === undefined) throw new Error('nothing to update')
      if (step.kind === 'set-aliases') {
        for (const column of Object.keys(step.aliases)) expect(this.cell.aliases[column]).toBeUndefined()
      }
      this.cell.aliases =
        step.kind === 'set-aliases'
          ? { ...this.cell.aliases, ...step.aliases }
          : Object.fromEntries(Object.entries(this.cell.aliases).filter(([column]) => !step.columns.includes(column)))
      expect(this.cell.aliases).toEqual(step.kind === 'set-aliases' ? step.all : step.left)
      return { cell: { ...this.#present(this.cell), sinceUpdateMs: 0 } }
    }
    if (step.kind === 'delete-from-cell') {
      expect(this.edge).toBeUndefined()
      this.cell = undefined
      this.#registered = true
      return { cell: { kind: 'deleting' } }
    }
    return { cell: this.#look() }
  }

  #callEdge(step: NamespaceStep): { edge: ObservedAtEdge } {
    if (step.kind !== 'serve-at-edge') {
      this.edge = undefined
      return { edge: { kind: 'absent' } }
    }
    expect(this.cell).toBeDefined()
    this.edge = step.generation
    return { edge: { kind: 'serving', generation: step.generation } }
  }

  #look(): ObservedInCell {
    // The rule that the cell's cache of missing names asks for.
    expect(this.#registered).toBe(true)
    return this.cell === undefined ? { kind: 'absent' } : this.#present(this.cell)
  }

  #present(cell: { owner: string; retentionDays: number; aliases: Aliases }): ObservedInCell & { kind: 'present' } {
    return { kind: 'present', ...cell }
  }
}
