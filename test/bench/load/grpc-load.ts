import { coerceError } from '#libs/base'
import { percentile } from '../statistics.ts'
import type { Caller } from './caller.ts'
import { http2Caller } from './http2-caller.ts'
import type { GrpcJob, LoadResult } from './job.ts'

/**
 * Keeps so many calls in flight for the time that was asked for. By node:http2, which is as little client as there can
 * be: on a machine whose cores client and server share, the client must not be what is measured.
 */
export async function runGrpcLoad(job: GrpcJob): Promise<LoadResult> {
  const callers = await Promise.all(
    connectionsOf(job).map(({ endpoint, message }) => http2Caller(endpoint, job.path, message)),
  )
  try {
    await keepInFlight(job, callers, job.warmupMs)
    const cpu = process.cpuUsage()
    const began = performance.now()
    const { times, failures, failure } = await keepInFlight(job, callers, job.measureMs)
    const seconds = (performance.now() - began) / 1000
    const { user, system } = process.cpuUsage(cpu)
    return {
      calls: times.length,
      perSecond: times.length / seconds,
      p50: percentile(times, 0.5),
      p99: percentile(times, 0.99),
      failures,
      ...(failure === undefined ? {} : { failure }),
      clientCores: (user + system) / 1e6 / seconds,
    }
  } finally {
    for (const caller of callers) caller.close()
  }
}

function connectionsOf({ connections, targets }: GrpcJob): GrpcJob['targets'] {
  return Array.from({ length: connections }).flatMap((_, index) => targets[index % targets.length] ?? [])
}

async function keepInFlight({ inFlight }: GrpcJob, callers: readonly Caller[], forMs: number) {
  const until = performance.now() + forMs
  const times: number[] = []
  let failures = 0
  let failure: string | undefined
  const lane = async (caller: Caller): Promise<void> => {
    for (let now = performance.now(); now < until; ) {
      const began = now
      try {
        await caller.call()
        now = performance.now()
        times.push(now - began)
      } catch (thrown) {
        now = performance.now()
        failures += 1
        failure ??= coerceError(thrown).message
      }
    }
  }
  const lanes = Array.from({ length: inFlight }, (_, index) => callers[index % callers.length])
  await Promise.all(lanes.map((caller) => (caller === undefined ? undefined : lane(caller))))
  return { times, failures, failure }
}
