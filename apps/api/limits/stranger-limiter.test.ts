import { describe, expect, test } from 'vitest'
import { StrangerLimiter } from './stranger-limiter.ts'

function limiter(perSecond: number) {
  const clock = { ms: 0 }
  return { clock, limiter: new StrangerLimiter(perSecond, () => clock.ms) }
}

const attempts = (strangers: StrangerLimiter, address: string, count: number) =>
  Array.from({ length: count }, () => {
    try {
      strangers.assertRoom(address)
      strangers.failed(address)
      return true
    } catch {
      return false
    }
  }).filter(Boolean).length

describe('strangers', () => {
  test('fail so often in a second, and again as time goes by', () => {
    const { clock, limiter: strangers } = limiter(10)
    expect(attempts(strangers, '192.0.2.1', 30)).toBe(10)
    expect(attempts(strangers, '192.0.2.2', 30)).toBe(10)
    clock.ms += 500
    expect(attempts(strangers, '192.0.2.1', 30)).toBe(5)
  })

  test('are counted by /64 where they come by IPv6', () => {
    const { limiter: strangers } = limiter(10)
    expect(attempts(strangers, '2001:db8::1', 6)).toBe(6)
    expect(attempts(strangers, '2001:db8:0:0:ffff::1', 6)).toBe(4)
    expect(attempts(strangers, '2001:db8:0:1::1', 6)).toBe(6)
    expect(attempts(strangers, '::ffff:192.0.2.1', 6)).toBe(6)
    expect(attempts(strangers, '192.0.2.1', 6)).toBe(4)
  })

  test('are forgiven soon, however many came at once', () => {
    const { clock, limiter: strangers } = limiter(10)
    for (let call = 0; call < 1000; call += 1) strangers.failed('192.0.2.1')
    expect(attempts(strangers, '192.0.2.1', 1)).toBe(0)
    clock.ms += 1500
    expect(attempts(strangers, '192.0.2.1', 30)).toBe(5)
  })

  test('take bounded memory: the one that failed longest ago is forgotten', () => {
    const { limiter: strangers } = limiter(1)
    expect(attempts(strangers, '10.0.0.1', 2)).toBe(1)
    for (let index = 0; index < 10_000; index += 1) attempts(strangers, `10.1.${index >> 8}.${index & 255}`, 1)
    expect(attempts(strangers, '10.0.0.1', 2)).toBe(1)
  })
})
