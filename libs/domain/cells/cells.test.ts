import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type CellCandidate,
  type CellState,
  type CellStep,
  chooseCell,
  type DesiredCell,
  executableNow,
  type ObservedCell,
  type ObservedNode,
  planCell,
  planNode,
} from '#libs/domain/cells'

describe('chooseCell', () => {
  const cell = (id: string, state: CellState, namespaces: number): CellCandidate => ({ id, state, namespaces })

  it.each([
    ['the least full ready one', [cell('a', 'ready', 5), cell('b', 'ready', 2)], 'b'],
    [
      'a ready one rather than an emptier one that is coming up',
      [cell('a', 'ready', 5), cell('b', 'creating', 0)],
      'a',
    ],
    ['one that is coming up when the ready ones are full', [cell('a', 'ready', 10), cell('b', 'creating', 3)], 'b'],
    ['one that is mended rather than one more', [cell('a', 'failed', 0)], 'a'],
    ['the first by id of two equals', [cell('b', 'ready', 2), cell('a', 'ready', 2)], 'a'],
  ])('takes %s', (_, cells, cellId) => {
    expect(chooseCell(cells, 10)).toMatchObject({ kind: 'existing', cellId })
  })

  it.each([
    ['there is none', []],
    ['all are full', [cell('a', 'ready', 10), cell('b', 'creating', 11)]],
    ['the only one with room goes away', [cell('a', 'deleting', 0), cell('b', 'deleted', 0)]],
  ])('creates one when %s', (_, cells) => {
    expect(chooseCell(cells, 10)).toEqual({ kind: 'create' })
  })
})

const kinds = (steps: readonly { readonly kind: string }[]) => steps.map((step) => step.kind)
const present = (state: 'starting' | 'ready' | 'failed' | 'stopped', generation = 1): ObservedNode => ({
  kind: 'present',
  state,
  generation,
  address: '127.0.0.1',
  detail: '',
})

describe('planNode', () => {
  const desired = { nodeId: 'node-1', generation: 2, deleted: false }
  it.each([
    ['absent', { kind: 'absent' }, ['launch-node', 'await-node', 'done']],
    ['unknown', { kind: 'unknown' }, ['launch-node', 'await-node', 'done']],
    ['without an address', { kind: 'present', state: 'starting', generation: -1, detail: '' }, ['await-node', 'done']],
    ['starting', present('starting', 2), ['await-node', 'done']],
    ['ready', present('ready', 2), ['done']],
    ['ready with a later manifest', present('ready', 3), ['done']],
    ['drifted', present('ready', 1), ['configure-node', 'await-node', 'done']],
    ['failed', present('failed', 2), ['delete-node', 'launch-node', 'await-node', 'done']],
    ['stopped', present('stopped', 2), ['delete-node', 'launch-node', 'await-node', 'done']],
  ] as const)('%s', (_, observed, steps) => {
    expect(kinds(planNode(desired, observed))).toEqual(steps)
  })

  it('deletes until there is surely nothing', () => {
    const gone = { ...desired, deleted: true }
    expect(kinds(planNode(gone, present('ready', 2)))).toEqual(['delete-node', 'done'])
    expect(kinds(planNode(gone, { kind: 'unknown' }))).toEqual(['delete-node', 'done'])
    expect(kinds(planNode(gone, { kind: 'absent' }))).toEqual(['done'])
  })
})

const node = (nodeId: string) => ({ nodeId, generation: 1, deleted: false })
const desired: DesiredCell = {
  id: 'cell-1',
  deleted: false,
  schemaVersion: '1.19',
  nodes: [node('node-1'), node('node-2'), node('node-3')],
}
const nothing: ObservedCell = { databases: 'absent', nodes: new Map(), answering: false }

describe('planCell', () => {
  it('plans databases, schema, the nodes and the question whether it works, in that order', () => {
    expect(kinds(planCell(desired, nothing))).toEqual([
      'create-databases',
      'apply-schema',
      ...['launch-node', 'await-node', 'launch-node', 'await-node', 'launch-node', 'await-node'],
      'confirm-answering',
      'done',
    ])
  })

  it('applies the schema again when the databases may have been made anew', () => {
    const steps = planCell(desired, { ...nothing, databases: 'unknown', schemaVersion: '1.19' })
    expect(kinds(steps).slice(0, 2)).toEqual(['create-databases', 'apply-schema'])
  })

  it('starts the first node alone, and the others side by side', () => {
    const bare: ObservedCell = { ...nothing, databases: 'present', schemaVersion: '1.19' }
    expect(executableNow(planCell(desired, bare), false)).toEqual([{ kind: 'launch-node', nodeId: 'node-1' }])
    const starting = { ...bare, nodes: new Map([['node-1', present('starting')]]) }
    expect(executableNow(planCell(desired, starting), false)).toMatchObject([{ kind: 'await-node', nodeId: 'node-1' }])
    const ready = { ...bare, nodes: new Map([['node-1', present('ready')]]) }
    expect(executableNow(planCell(desired, ready), true)).toMatchObject([
      { kind: 'launch-node', nodeId: 'node-2' },
      { kind: 'launch-node', nodeId: 'node-3' },
    ])
  })

  it('is done when everything is there and answers', () => {
    const nodes = new Map(desired.nodes.map(({ nodeId }) => [nodeId, present('ready')]))
    const whole: ObservedCell = { databases: 'present', schemaVersion: '1.19', nodes, answering: true }
    expect(kinds(planCell(desired, whole))).toEqual(['done'])
    expect(kinds(planCell(desired, { ...whole, answering: false }))).toEqual(['confirm-answering', 'done'])
  })

  it('drops the databases only after the last node', () => {
    const nodes = new Map([['node-1', present('ready')]])
    const steps = planCell({ ...desired, deleted: true }, { ...nothing, databases: 'present', nodes })
    expect(kinds(steps)).toEqual(['delete-node', 'drop-databases', 'done'])
  })

  it('comes to its end from every crash, executed step by step', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('ok', 'before', 'after'), { maxLength: 12 }),
        fc.boolean(),
        (fates, deleted) => {
          const world = new CellWorld()
          const wanted = { ...desired, deleted }
          for (let pass = 0; pass < fates.length + 30; pass += 1) {
            const [step] = executableNow(planCell(wanted, world.observed), world.bootstrapped)
            if (step === undefined || step.kind === 'done') return
            world.execute(step, fates[pass] ?? 'ok')
          }
          throw new Error('no end')
        },
      ),
    )
  })
})

/** Just enough of a driver and a database server to run a plan against. */
class CellWorld {
  observed: ObservedCell = nothing
  bootstrapped = false
  #databases = false
  readonly #nodes = new Map<string, ObservedNode>()

  execute(step: CellStep, fate: 'ok' | 'before' | 'after'): void {
    if (step.kind === 'launch-node' || step.kind === 'delete-node') this.#saw(step.nodeId, { kind: 'unknown' })
    if (step.kind === 'create-databases' || step.kind === 'drop-databases') this.#note({ databases: 'unknown' })
    if (fate === 'before') return
    this.#act(step)
    if (fate === 'ok') this.#record(step)
  }

  #act(step: CellStep): void {
    if (step.kind === 'create-databases') this.#databases = true
    if (step.kind === 'drop-databases') {
      expect(this.#nodes.size).toBe(0)
      this.#databases = false
    }
    if (step.kind === 'apply-schema') expect(this.#databases).toBe(true)
    if (step.kind === 'launch-node' && !this.#nodes.has(step.nodeId)) this.#nodes.set(step.nodeId, present('ready', -1))
    if (step.kind === 'configure-node') this.#nodes.set(step.nodeId, present('ready', step.generation))
    if (step.kind === 'delete-node') this.#nodes.delete(step.nodeId)
  }

  #record(step: CellStep): void {
    if ('nodeId' in step) {
      const seen = this.#nodes.get(step.nodeId) ?? { kind: 'absent' }
      this.#saw(step.nodeId, seen)
      this.bootstrapped ||= seen.kind === 'present'
    }
    if (step.kind === 'create-databases') this.#note({ databases: 'present' })
    if (step.kind === 'drop-databases') this.#note({ databases: 'absent' })
    if (step.kind === 'apply-schema') this.#note({ schemaVersion: step.schemaVersion })
    if (step.kind === 'confirm-answering') this.#note({ answering: true })
  }

  #saw(nodeId: string, seen: ObservedNode): void {
    this.#note({ nodes: new Map([...this.observed.nodes, [nodeId, seen]]) })
  }

  #note(change: Partial<ObservedCell>): void {
    this.observed = { ...this.observed, ...change }
  }
}
