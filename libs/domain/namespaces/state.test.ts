import { describe, expect, it } from 'vitest'
import { failedState, type NamespaceState, settledState, statesBefore, statesUnderWay } from './state.ts'

const states: readonly NamespaceState[] = [
  'activating',
  'activation_failed',
  'active',
  'updating',
  'update_failed',
  'deleting',
  'delete_failed',
  'deleted',
]

const mayBecome = (from: NamespaceState, to: NamespaceState) => statesBefore(to).includes(from)

describe('namespace states', () => {
  it('moves as the table says', () => {
    const moves = states.map((from) => `${from} -> ${states.filter((to) => mayBecome(from, to)).join(', ')}`)
    expect(moves).toEqual([
      'activating -> activating, activation_failed, active, deleting',
      'activation_failed -> activating, deleting',
      'active -> updating, deleting',
      'updating -> active, updating, update_failed, deleting',
      'update_failed -> updating, deleting',
      'deleting -> delete_failed, deleted',
      'delete_failed -> deleting',
      'deleted -> ',
    ])
  })

  it('never leaves deletion, and lets every outcome be a move', () => {
    for (const state of states) {
      for (const outcome of [failedState(state), settledState(state)]) {
        expect(outcome === state || mayBecome(state, outcome)).toBe(true)
      }
      if (state.startsWith('delet')) {
        expect(states.filter((to) => mayBecome(state, to)).every((to) => to.startsWith('delet'))).toBe(true)
      }
    }
  })

  it('has something under way in the three that end', () => {
    expect(statesUnderWay).toEqual(['activating', 'updating', 'deleting'])
  })
})
