import { percentile } from '../statistics.ts'
import { grpcJsCaller } from './grpc-js-caller.ts'
import type { TurnsJob, TurnsResult } from './job.ts'

/** @throws Error of the first call that fails. */
export async function runTurns(job: TurnsJob): Promise<TurnsResult> {
  const callers = job.endpoints.map((endpoint) => grpcJsCaller(endpoint, job))
  try {
    const rounds = async (forMs: number): Promise<readonly number[][]> => {
      const times = callers.map((): number[] => [])
      for (const until = performance.now() + forMs; performance.now() < until; ) {
        for (const [index, caller] of callers.entries()) {
          const began = performance.now()
          await caller.call()
          times[index]?.push(performance.now() - began)
        }
      }
      return times
    }
    await rounds(job.warmupMs)
    return { p50: (await rounds(job.measureMs)).map((times) => percentile(times, 0.5)) }
  } finally {
    for (const caller of callers) caller.close()
  }
}
