import { describe, expect, it } from 'vitest'
import { failedState, isServed, isVisible, type NamespaceState, namespaceMayBecome, settledState } from './state.ts'

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

describe('namespace states', () => {
  it('moves as the table says', () => {
    const moves = states.map((from) => `${from} -> ${states.filter((to) => namespaceMayBecome(from, to)).join(', ')}`)
    expect(moves).toEqual([
      'activating -> activation_failed, active, deleting',
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
        expect(outcome === state || namespaceMayBecome(state, outcome)).toBe(true)
      }
      if (state.startsWith('delet')) {
        expect(states.filter((to) => namespaceMayBecome(state, to)).every((to) => to.startsWith('delet'))).toBe(true)
      }
    }
  })

  it('serves what is wanted and shows all but the tombstone', () => {
    expect(states.filter(isServed)).toEqual(['activating', 'active', 'updating', 'update_failed'])
    expect(states.filter((state) => !isVisible(state))).toEqual(['deleted'])
  })
})
