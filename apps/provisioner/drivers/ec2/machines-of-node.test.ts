import { expect, test } from 'vitest'
import type { Machine } from './ec2-calls.ts'
import { machinesOfNode } from './machines-of-node.ts'

const machine = (id: string, launched: number, state: Machine['state'] = 'running'): Machine => ({
  id,
  state,
  reason: '',
  launchedAt: new Date(launched),
  tags: {},
})
const chosen = (machines: readonly Machine[], machineId?: string) => {
  const seen = machinesOfNode(machines, machineId === undefined ? undefined : { machineId })
  return [seen.machine?.id, seen.twins.map(({ id }) => id)]
}

test('the oldest that is alive is the node, and the others are to go', () => {
  expect(chosen([])).toEqual([undefined, []])
  expect(chosen([machine('i-2', 20), machine('i-1', 10), machine('i-3', 30)])).toEqual(['i-1', ['i-2', 'i-3']])
  expect(chosen([machine('i-2', 10), machine('i-1', 10)])).toEqual(['i-1', ['i-2']])
  expect(chosen([machine('i-1', 10, 'terminated'), machine('i-2', 20)])).toEqual(['i-2', []])
})

test('what the journal names is the node, though others are older, or it has ended', () => {
  expect(chosen([machine('i-1', 10), machine('i-2', 20)], 'i-2')).toEqual(['i-2', ['i-1']])
  expect(chosen([machine('i-1', 10, 'terminated'), machine('i-2', 20)], 'i-1')).toEqual(['i-1', ['i-2']])
  expect(chosen([machine('i-2', 20)], 'i-1')).toEqual([undefined, ['i-2']])
  expect(chosen([machine('i-2', 20, 'shutting-down')], 'i-1')).toEqual([undefined, []])
})
