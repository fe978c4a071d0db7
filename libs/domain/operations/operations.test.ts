import { describe, expect, it } from 'vitest'
import {
  deadlineMs,
  isOverdue,
  isTerminal,
  type OperationState,
  openStates,
  operationMayBecome,
} from '#libs/domain/operations'

const states: readonly OperationState[] = ['pending', 'in_progress', 'fulfilled', 'failed', 'cancelled']

describe('operations', () => {
  it('end once', () => {
    expect(states.filter(isTerminal)).toEqual(['fulfilled', 'failed', 'cancelled'])
    expect(states.filter((state) => !isTerminal(state))).toEqual(openStates)
    for (const from of states.filter(isTerminal)) {
      expect(states.some((to) => operationMayBecome(from, to))).toBe(false)
    }
  })

  it('are overdue at their deadline, unless they have ended', () => {
    const startedAt = new Date(0)
    const running = { state: 'in_progress', type: 'CreateNamespace', startedAt } as const
    const end = deadlineMs('CreateNamespace')
    expect(isOverdue(running, new Date(end - 1))).toBe(false)
    expect(isOverdue(running, new Date(end))).toBe(true)
    expect(isOverdue({ ...running, state: 'fulfilled' }, new Date(end))).toBe(false)
  })
})
