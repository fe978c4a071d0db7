import { describe, expect, it } from 'vitest'
import {
  type CellCandidate,
  type CellNodes,
  type CellState,
  chooseCell,
  type DesiredCell,
  type ObservedCell,
  type ObservedNode,
  planCell,
  planNode,
  type SlotNode,
  slotsOf,
} from '#libs/domain/cells'

describe('chooseCell', () => {
  const cell = (id: string, state: CellState, namespaces: number, draining = false): CellCandidate => ({
    id,
    state,
    namespaces,
    draining,
  })

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
    ['the only one drains', [cell('a', 'ready', 0, true)]],
    ['all are full', [cell('a', 'ready', 10), cell('b', 'creating', 11)]],
    ['the only one with room goes away', [cell('a', 'deleting', 0), cell('b', 'deleted', 0)]],
  ])('creates one when %s', (_, cells) => {
    expect(chooseCell(cells, 10)).toEqual({ kind: 'create' })
  })
})

const kinds = (steps: readonly { readonly kind: string }[]) => steps.map((step) => step.kind)
const present = (state: 'starting' | 'ready' | 'failed' | 'stopped' | 'ending', generation = 1): ObservedNode => ({
  kind: 'present',
  state,
  generation,
  address: '127.0.0.1',
  detail: '',
})

describe('planNode', () => {
  const desired = { nodeId: 'node-1', generation: 2, deleted: false, seen: false, launched: false, hidden: false }
  it.each([
    ['absent', { kind: 'absent' }, ['launch-node', 'await-node', 'done']],
    ['unknown', { kind: 'unknown' }, ['launch-node', 'await-node', 'done']],
    ['without an address', { kind: 'present', state: 'starting', generation: -1, detail: '' }, ['await-node', 'done']],
    ['starting', present('starting', 2), ['await-node', 'done']],
    ['ready', present('ready', 2), ['done']],
    ['ready with a later manifest', present('ready', 3), ['done']],
    ['drifted', present('ready', 1), ['configure-node', 'await-node', 'done']],
    ['left by its agent', present('stopped', -1), ['configure-node', 'await-node', 'done']],
    ['failed', present('failed', 2), ['fail-node', 'done']],
    ['failed before it had a manifest', present('failed', -1), ['fail-node', 'done']],
    ['taken away by somebody else', present('ending', 2), ['fail-node', 'done']],
    ['stopped', present('stopped', 2), ['fail-node', 'done']],
  ] as const)('%s', (_, observed, steps) => {
    expect(kinds(planNode(desired, observed))).toEqual(steps)
  })

  it('launches no second machine for a node whose machine is gone', () => {
    const seen = { ...desired, seen: true, launched: true }
    expect(kinds(planNode(seen, { kind: 'absent' }))).toEqual(['fail-node', 'done'])
    expect(kinds(planNode(seen, { kind: 'unknown' }))).toEqual(['await-node', 'done'])
  })

  it('exposes an edge once it is ready, and not before', () => {
    const hidden = { ...desired, hidden: true }
    expect(kinds(planNode(hidden, present('ready', 2)))).toEqual(['expose-node', 'done'])
    expect(kinds(planNode(hidden, present('starting', 2)))).toEqual(['await-node', 'done'])
  })

  it('deletes until there is surely nothing, also what was launched and never seen', () => {
    const gone = { ...desired, deleted: true }
    expect(kinds(planNode(gone, present('ready', 2)))).toEqual(['delete-node', 'done'])
    expect(kinds(planNode(gone, { kind: 'unknown' }))).toEqual(['delete-node', 'done'])
    expect(kinds(planNode({ ...gone, launched: true }, { kind: 'absent' }))).toEqual(['delete-node', 'done'])
    expect(kinds(planNode(gone, { kind: 'absent' }))).toEqual(['done'])
  })
})

const node = (slotId: string, state: SlotNode['state'] = 'ready'): SlotNode => ({
  nodeId: `node-${slotId}`,
  slotId,
  state,
  templateHash: 'a',
  drainMs: 5,
})
const small: CellNodes = { slots: slotsOf('small'), templateHash: 'a', bootstrapped: true, nodes: [], now: 0 }
const whole: CellNodes = { ...small, nodes: small.slots.map(({ id }) => node(id)) }
const desired: DesiredCell = { id: 'cell-1', deleted: false, schemaVersion: '1.19' }
const nothing: ObservedCell = { databases: 'absent', nodes: { ...small, bootstrapped: false }, answering: false }

describe('planCell', () => {
  it('plans databases, schema, the nodes and the question whether it works, in that order', () => {
    expect(kinds(planCell(desired, nothing))).toEqual([
      ...['create-databases', 'apply-schema', 'change-nodes', 'await-nodes', 'confirm-answering', 'done'],
    ])
  })

  it('applies the schema again when the databases may have been made anew', () => {
    const steps = planCell(desired, { ...nothing, databases: 'unknown', schemaVersion: '1.19' })
    expect(kinds(steps).slice(0, 2)).toEqual(['create-databases', 'apply-schema'])
  })

  it('is done when everything is there and answers', () => {
    const there: ObservedCell = { databases: 'present', schemaVersion: '1.19', nodes: whole, answering: true }
    expect(kinds(planCell(desired, there))).toEqual(['done'])
    expect(kinds(planCell(desired, { ...there, answering: false }))).toEqual(['confirm-answering', 'done'])
  })

  it('asks a cell whose node is replaced whether it works before it waits for the node', () => {
    const nodes = { ...whole, nodes: [...whole.nodes, node('all-0', 'creating')] }
    const seen: ObservedCell = { databases: 'present', schemaVersion: '1.19', nodes, answering: false }
    expect(kinds(planCell(desired, seen)).slice(-3)).toEqual(['confirm-answering', 'await-nodes', 'done'])
  })

  it('drops the databases only after the last node', () => {
    const gone = { ...desired, deleted: true }
    expect(kinds(planCell(gone, { ...nothing, databases: 'present', nodes: whole }))).toEqual([
      ...['change-nodes', 'await-nodes', 'drop-databases', 'done'],
    ])
    expect(kinds(planCell(gone, nothing))).toEqual(['done'])
  })
})
