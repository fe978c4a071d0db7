import { describe, expect, it } from 'vitest'
import { type MoveFacts, planMove, type SeenOnCell } from '#libs/domain/moves'

const seen = (active: string, ...clusters: string[]): SeenOnCell => ({ kind: 'present', clusters, active })
const absent: SeenOnCell = { kind: 'absent' }
const begun: MoveFacts = {
  state: 'connecting',
  inStateMs: 0,
  sourceCluster: 'a',
  targetCluster: 'b',
  connected: true,
  onSource: seen('a', 'a', 'b'),
  onTarget: seen('a', 'a', 'b'),
  replication: 'none',
  handOver: 'none',
  unwanted: false,
  settledOnTarget: false,
  passOnMs: 90_000,
}
const next = (change: Partial<MoveFacts>) => {
  const step = planMove({ ...begun, ...change })
  return step.kind === 'become' ? step.state : step.kind
}

describe('planMove', () => {
  it.each<[string, Partial<MoveFacts>, string]>([
    ['two cells that do not know each other', { connected: false, onTarget: absent }, 'connect'],
    ['a namespace of one cell', { onSource: seen('a', 'a'), onTarget: absent }, 'join-target'],
    ['a target that has not heard', { onTarget: absent }, 'wait'],
    ['a namespace of both', {}, 'replicating'],
    ['hosts that may not have heard', { state: 'replicating', inStateMs: 4_000 }, 'wait'],
    ['nothing copied', { state: 'replicating', inStateMs: 6_000 }, 'replicate'],
    ['a copy that failed', { state: 'replicating', inStateMs: 6_000, replication: 'failed' }, 'replicate'],
    ['a copy under way', { state: 'replicating', inStateMs: 6_000, replication: 'running' }, 'wait'],
    ['everything copied', { state: 'replicating', inStateMs: 6_000, replication: 'completed' }, 'handing_over'],
    ['nothing handed over', { state: 'handing_over' }, 'hand-over'],
    ['a hand-over that was rolled back', { state: 'handing_over', handOver: 'failed' }, 'hand-over'],
    ['a hand-over under way', { state: 'handing_over', handOver: 'running', onTarget: seen('b', 'a', 'b') }, 'wait'],
    ['one that the target has not heard of', { state: 'handing_over', handOver: 'completed' }, 'wait'],
    ['handed over', { state: 'handing_over', handOver: 'completed', onTarget: seen('b', 'a', 'b') }, 'place'],
    ['a row that is not settled', { state: 'switching', inStateMs: 100_000 }, 'wait'],
    ['callers that may not have heard', { state: 'switching', settledOnTarget: true, inStateMs: 89_000 }, 'wait'],
    ['callers that have', { state: 'switching', settledOnTarget: true, inStateMs: 91_000 }, 'leaving'],
    ['a source that has a part in it', { state: 'leaving' }, 'leave-source'],
    ['a source that has not heard', { state: 'leaving', onTarget: seen('b', 'b') }, 'wait'],
    ['a source that has', { state: 'leaving', onTarget: seen('b', 'b'), onSource: seen('b', 'b') }, 'delete-at-source'],
    ['nothing left', { state: 'leaving', onTarget: seen('b', 'b'), onSource: absent }, 'disconnect'],
    [
      'a namespace deleted meanwhile',
      { state: 'leaving', onTarget: absent, onSource: seen('b', 'b') },
      'delete-at-source',
    ],
  ])('%s', (_, facts, kind) => {
    expect(next(facts)).toBe(kind)
  })

  it('is undone before the hand-over, and not after it has begun', () => {
    for (const state of ['connecting', 'replicating'] as const) expect(next({ state, unwanted: true })).toBe('aborting')
    for (const state of ['handing_over', 'switching', 'leaving'] as const) {
      expect(next({ state, unwanted: true })).not.toBe('aborting')
    }
  })

  it('is undone after a hand-over that was taken back, and not while one goes on or has come to its end', () => {
    const unwanted: Partial<MoveFacts> = { state: 'handing_over', unwanted: true }
    expect(next({ ...unwanted, handOver: 'failed' })).toBe('aborting')
    expect(next({ ...unwanted, handOver: 'running' })).toBe('wait')
    expect(next({ ...unwanted, handOver: 'completed' })).toBe('wait')
    // Whatever became of the workflow: the source itself says that it is the target's now.
    expect(next({ ...unwanted, handOver: 'failed', onSource: seen('b', 'a', 'b') })).not.toBe('aborting')
    expect(next({ ...unwanted, handOver: 'failed', onTarget: seen('b', 'a', 'b') })).toBe('place')
  })

  it.each<[string, Partial<MoveFacts>, string]>([
    ['a target with a part in it', {}, 'leave-target'],
    ['a target that has not heard', { onSource: seen('a', 'a') }, 'wait'],
    ['a target that has', { onSource: seen('a', 'a'), onTarget: seen('a', 'a') }, 'delete-at-target'],
    ['nothing there', { onSource: seen('a', 'a'), onTarget: absent }, 'disconnect'],
  ])('undoes: %s', (_, facts, kind) => {
    expect(next({ ...facts, state: 'aborting' })).toBe(kind)
  })

  it('never deletes anywhere what that cell still has a part in', () => {
    const both = [seen('a', 'a', 'b'), seen('b', 'a', 'b'), absent]
    for (const state of ['connecting', 'replicating', 'handing_over', 'switching', 'leaving', 'aborting'] as const) {
      for (const onSource of both) {
        for (const onTarget of both) {
          expect(next({ state, onSource, onTarget, inStateMs: 100_000, settledOnTarget: true })).not.toContain(
            'delete-at',
          )
        }
      }
    }
  })
})
