import { beforeEach, expect, it } from 'vitest'
import type { NodeState } from '#libs/domain/cells'
import type { NodeRole } from '#libs/domain/nodes'
import { Standings } from './standings.ts'

const node = { cellId: 'cell-1', nodeId: 'node-1' }
let state: NodeState | undefined
let cellId: string
let role: NodeRole
let failing: boolean
let reads: number
let standings: Standings

beforeEach(() => {
  state = 'ready'
  cellId = 'cell-1'
  role = 'all'
  failing = false
  reads = 0
  standings = new Standings(async () => {
    reads += 1
    if (failing) throw new Error('the database is away')
    return state === undefined ? undefined : { cellId, state, role }
  })
})

it.each([
  ['creating', 'staying'],
  ['ready', 'staying'],
  ['failed', 'staying'],
  ['draining', 'leaving'],
  ['deleting', 'leaving'],
  ['deleted', 'gone'],
  [undefined, 'gone'],
] as const)('takes a node that is %s for one that is %s', async (now, standing) => {
  state = now
  expect(await standings.of(node)).toBe(standing)
})

it('takes a certificate of another cell for nobody’s', async () => {
  expect(await standings.of({ ...node, cellId: 'cell-2' })).toBe('gone')
  expect(await standings.of(node)).toBe('staying')
})

it.each([
  ['all', true],
  ['edge', true],
  ['frontend', false],
  ['history', false],
  ['matching', false],
  ['worker', false],
] as const)('knows whether a node that is for %s is an edge', async (now, isEdge) => {
  role = now
  expect(await standings.isEdge(node)).toBe(isEdge)
  expect(await standings.isEdge({ ...node, cellId: 'cell-2' })).toBe(false)
})

it('remembers for a moment, and until something changes', async () => {
  await standings.of(node)
  state = 'deleted'
  expect(await standings.of(node)).toBe('staying')
  expect(reads).toBe(1)
  standings.changed('cell-2')
  expect(await standings.of(node)).toBe('staying')
  standings.changed('cell-1')
  expect(await standings.of(node)).toBe('gone')
})

it('goes on with what it knows while the database is away, and believes nobody that it does not know', async () => {
  await standings.of(node)
  failing = true
  standings.changed('*')
  expect(await standings.of(node)).toBe('staying')
  await expect(standings.of({ ...node, nodeId: 'node-2' })).rejects.toThrow('away')
})
