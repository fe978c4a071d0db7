import { setTimeout as delay } from 'node:timers/promises'
import { coerceError } from '#libs/base'
import { percentile } from '../statistics.ts'
import { http2Caller } from './http2-caller.ts'
import type { PacedJob, PacedResult } from './job.ts'

/**
 * A caller with manners: so many calls a second on one connection, evenly, whether the one before was answered or not.
 * One that waited for its answers would call less often just when it is slow.
 */
export async function runPacedLoad({
  endpoint,
  path,
  message,
  callsPerSecond,
  warmupMs,
  measureMs,
}: PacedJob): Promise<PacedResult> {
  const caller = await http2Caller(endpoint, path, message)
  try {
    const run = async (forMs: number) => {
      const times: number[] = []
      const failures: string[] = []
      const calls: Promise<void>[] = []
      const began = performance.now()
      for (let index = 0; index * (1000 / callsPerSecond) < forMs; index += 1) {
        const dueMs = began + index * (1000 / callsPerSecond) - performance.now()
        if (dueMs > 0) await delay(dueMs)
        const called = performance.now()
        calls.push(
          caller.call().then(
            () => void times.push(performance.now() - called),
            (thrown: unknown) => void failures.push(coerceError(thrown).message),
          ),
        )
      }
      await Promise.all(calls)
      return { times, failures, seconds: (performance.now() - began) / 1000 }
    }
    await run(warmupMs)
    const cpu = process.cpuUsage()
    const { times, failures, seconds } = await run(measureMs)
    const { user, system } = process.cpuUsage(cpu)
    const [failure] = failures
    return {
      times,
      calls: times.length,
      perSecond: times.length / seconds,
      p50: percentile(times, 0.5),
      p99: percentile(times, 0.99),
      failures: failures.length,
      ...(failure === undefined ? {} : { failure }),
      clientCores: (user + system) / 1e6 / seconds,
    }
  } finally {
    caller.close()
  }
}
