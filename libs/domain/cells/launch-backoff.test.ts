import { describe, expect, test } from 'vitest'
import { callPauseEnd, deathsInARow, launchPauseEnd, type PastLaunch } from './launch-backoff.ts'

const minute = 60_000
const now = 1_000 * minute
const died = (launchedAgo: number, endedAgo: number, firstReadyAgo?: number): PastLaunch => ({
  launchedAt: now - launchedAgo,
  firstReadyAt: firstReadyAgo === undefined ? undefined : now - firstReadyAgo,
  endedAt: now - endedAgo,
  planned: false,
})
const lives = (readyAgo: number | undefined): PastLaunch => ({
  launchedAt: now - 20 * minute,
  firstReadyAt: readyAgo === undefined ? undefined : now - readyAgo,
  endedAt: undefined,
  planned: false,
})

describe('deathsInARow', () => {
  test('counts machines that never became ready, however long they took', () => {
    expect(deathsInARow([died(minute, 0), died(90 * minute, 2 * minute)], now)).toBe(2)
  })
  test('counts one that became ready and died within ten minutes', () => {
    expect(deathsInARow([died(9 * minute, 0, 8 * minute)], now)).toBe(1)
  })
  test('a machine that died old ends the row', () => {
    expect(
      deathsInARow([died(minute, 0), died(60 * minute, 5 * minute, 55 * minute), died(80 * minute, 79 * minute)], now),
    ).toBe(1)
  })
  test('a machine that has been ready for a minute ends the row, one that is ready for less says nothing', () => {
    expect(deathsInARow([died(minute, 0), lives(minute), died(30 * minute, 29 * minute)], now)).toBe(1)
    expect(deathsInARow([died(minute, 0), lives(minute - 1), died(30 * minute, 29 * minute)], now)).toBe(2)
    expect(deathsInARow([lives(undefined), died(30 * minute, 29 * minute)], now)).toBe(1)
  })
  test('what was taken away on purpose says nothing', () => {
    expect(deathsInARow([{ ...died(minute, 0), planned: true }, died(minute, 0)], now)).toBe(1)
  })
})

describe('launchPauseEnd', () => {
  const row = (deaths: number) => Array.from({ length: deaths }, () => died(minute, 0))
  test('the first two are replaced at once', () => {
    expect(launchPauseEnd([], now)).toBeUndefined()
    expect(launchPauseEnd(row(2), now)).toBeUndefined()
  })
  test.each([
    [3, 10_000],
    [4, 20_000],
    [5, 40_000],
    [10, 1_280_000],
    [11, 1_800_000],
    [200, 1_800_000],
  ])('after %i deaths it is %i ms from the last one', (deaths, ms) => {
    expect(launchPauseEnd(row(deaths), now)).toBe(now + ms)
    expect(launchPauseEnd(row(deaths), now + ms - 1)).toBe(now + ms)
    expect(launchPauseEnd(row(deaths), now + ms)).toBeUndefined()
  })
})

test('calls that fail wait for a minute at most, and the first two not at all', () => {
  expect(callPauseEnd(2, now, now)).toBeUndefined()
  expect(callPauseEnd(3, now, now)).toBe(now + 10_000)
  expect(callPauseEnd(50, now, now)).toBe(now + 60_000)
  expect(callPauseEnd(50, now, now + 60_000)).toBeUndefined()
})

test('an image that cannot start costs about fifty machines a day and not one a minute, and one that can ends it', () => {
  const dayMs = 24 * 60 * minute
  const past: PastLaunch[] = []
  let time = 0
  while (time < dayMs) {
    const pause = launchPauseEnd(past, time)
    if (pause === undefined) {
      past.unshift({ launchedAt: time, firstReadyAt: undefined, endedAt: time + minute, planned: false })
      time += minute
    } else {
      expect(pause).toBeGreaterThan(time)
      time = pause
    }
  }
  expect(past.length).toBeGreaterThan(40)
  expect(past.length).toBeLessThan(60)
  const good = { launchedAt: time, firstReadyAt: time, endedAt: undefined, planned: false }
  expect(launchPauseEnd([good, ...past], time + minute)).toBeUndefined()
})
