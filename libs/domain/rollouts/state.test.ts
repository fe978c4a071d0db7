import { expect, it } from 'vitest'
import { afterChange, chooseCanary, isVersion, mayFollow, rolloutStates } from '#libs/domain/rollouts'

it('pauses and resumes where it was, ends once, and takes a repeated change for the same', () => {
  const after = (change: Parameters<typeof afterChange>[1], canaryDone = false) =>
    Object.fromEntries(rolloutStates.map((state) => [state, afterChange(state, change, canaryDone) ?? 'refused']))
  expect(after('pause')).toEqual({
    canary: 'halted',
    rolling: 'halted',
    halted: 'halted',
    rolling_back: 'refused',
    done: 'refused',
    rolled_back: 'refused',
    cancelled: 'refused',
  })
  expect([after('resume').halted, after('resume', true).halted]).toEqual(['canary', 'rolling'])
  expect([after('resume').rolling, after('resume').rolling_back]).toEqual(['rolling', 'refused'])
  expect(after('cancel')).toMatchObject({
    canary: 'cancelled',
    rolling_back: 'cancelled',
    cancelled: 'cancelled',
    done: 'refused',
  })
  expect(after('roll-back')).toMatchObject({
    halted: 'rolling_back',
    rolled_back: 'rolled_back',
    done: 'refused',
    cancelled: 'refused',
  })
})

it.each([
  ['1.32.2', '1.32.9', true],
  ['1.32.2', '1.33.0+ours', true],
  ['1.33.0', '1.32.2', true],
  ['1.32.2', '1.34.0', false],
  ['1.34.0', '1.32.2', false],
  ['1.32.2', '2.32.2', false],
])('from %s to %s: %s', (from, to, possible) => {
  expect(mayFollow(from, to)).toBe(possible)
})

it('takes a build for the version that it reports', () => {
  expect([isVersion('1.32.2', '1.32.2+ours'), isVersion('1.32.2', '1.33.0')]).toEqual([true, false])
})

it('chooses the least full cell that works as the canary', () => {
  const cells = [
    { id: 'a', ready: true, namespaces: 3 },
    { id: 'd', ready: true, namespaces: 1 },
    { id: 'c', ready: true, namespaces: 1 },
    { id: 'b', ready: false, namespaces: 0 },
  ]
  expect(chooseCanary(cells)).toBe('c')
  expect(chooseCanary([])).toBeUndefined()
})
