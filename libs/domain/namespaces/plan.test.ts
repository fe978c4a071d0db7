import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  cellCacheMs,
  type DesiredNamespace,
  type NamespaceStep,
  type ObservedAtEdge,
  type ObservedInCell,
  plan,
} from '#libs/domain/namespaces'

const id = 'payments.a1b2c'
const owner = 'aqueduct/payments.a1b2c'
const wanted: DesiredNamespace = { id, owner, retentionDays: 30, generation: 2, deleted: false }
const present: ObservedInCell = { kind: 'present', owner, retentionDays: 30 }
const serving: ObservedAtEdge = { kind: 'serving', generation: 2 }

const kinds = (steps: readonly NamespaceStep[]) => steps.map((step) => step.kind)

describe('plan', () => {
  const changed: ObservedInCell = { kind: 'present', owner, retentionDays: 7 }
  const foreign: ObservedInCell = { kind: 'present', owner: 'somebody', retentionDays: 30 }
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
    expect(kinds(plan(wanted, { cell, edge }))).toEqual(steps)
  })

  it.each<[string, ObservedInCell, ObservedAtEdge, readonly string[]]>([
    ['whole', present, serving, ['remove-from-edge', 'delete-from-cell', 'confirm-deleted', 'done']],
    ['lost answer', { kind: 'unknown' }, { kind: 'absent' }, ['delete-from-cell', 'confirm-deleted', 'done']],
    ['edge unknown', { kind: 'absent' }, { kind: 'unknown' }, ['remove-from-edge', 'done']],
    ['on its way', { kind: 'deleting' }, { kind: 'absent' }, ['confirm-deleted', 'done']],
    ['never made', { kind: 'absent' }, { kind: 'absent' }, ['done']],
    ['somebody else’s', foreign, { kind: 'absent' }, ['done']],
  ])('unwanted, %s', (_, cell, edge, steps) => {
    expect(kinds(plan({ ...wanted, deleted: true }, { cell, edge }))).toEqual(steps)
  })

  it('waits for what is left of the cell’s cache time', () => {
    expect(plan(wanted, { cell: { ...present, sinceUpdateMs: 500 }, edge: serving })[0]).toEqual({
      kind: 'wait-cell-cache',
      ms: cellCacheMs - 500,
    })
  })

  const fates = fc.array(fc.constantFrom<Fate>('ok', 'before', 'after'), { maxLength: 10 })

  it('brings a namespace up, changes it and deletes it, whatever crashes in between', () => {
    fc.assert(
      fc.property(fates, fates, fates, (creating, updating, deleting) => {
        const world = new World()
        world.reconcile(wanted, creating)
        expect(world.cell).toEqual({ owner, retentionDays: 30 })
        expect(world.edge).toBe(2)
        world.reconcile({ ...wanted, retentionDays: 7, generation: 3 }, updating)
        expect(world.cell).toEqual({ owner, retentionDays: 7 })
        expect(world.edge).toBe(3)
        world.reconcile({ ...wanted, generation: 4, deleted: true }, deleting)
        expect(world.cell).toBeUndefined()
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
}

type Fate = 'ok' | 'before' | 'after'

/** Just enough of a cell and an edge to run plans against, and the row's memory of both. */
class World {
  cell: { owner: string; retentionDays: number } | undefined
  edge: number | undefined
  #observed: Observed = { cell: { kind: 'absent' }, edge: { kind: 'absent' } }
  #registered = false

  reconcile(desired: DesiredNamespace, fates: readonly Fate[], passes = fates.length + 10): void {
    for (let pass = 0; pass < passes; pass += 1) {
      const [step] = plan(desired, this.#observed)
      if (step === undefined || step.kind === 'done') return
      this.#execute(step, fates[pass] ?? 'ok')
    }
    if (passes === fates.length + 10) throw new Error('no end')
  }

  #execute(step: NamespaceStep, fate: Fate): void {
    switch (step.kind) {
      case 'register':
      case 'update-retention':
      case 'delete-from-cell':
        return this.#call(fate, { cell: { kind: 'unknown' } }, () => this.#callCell(step))
      case 'serve-at-edge':
      case 'remove-from-edge':
        return this.#call(fate, { edge: { kind: 'unknown' } }, () => this.#callEdge(step))
      case 'wait-cell-cache':
        if (fate === 'ok') this.#observed.cell = this.#look()
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
      this.cell ??= { owner: step.owner, retentionDays: step.retentionDays }
      this.#registered = true
    }
    if (step.kind === 'update-retention') {
      if (this.cell === undefined) throw new Error('nothing to update')
      this.cell.retentionDays = step.retentionDays
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

  #present(cell: { owner: string; retentionDays: number }): ObservedInCell & { kind: 'present' } {
    return { kind: 'present', ...cell }
  }
}
