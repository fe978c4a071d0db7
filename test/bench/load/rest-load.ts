import autocannon from 'autocannon'
import type { LoadResult, RestJob } from './job.ts'

export async function runRestLoad(job: RestJob): Promise<LoadResult> {
  await fire(job, job.warmupMs)
  const cpu = process.cpuUsage()
  const began = performance.now()
  const result = await fire(job, job.measureMs)
  const wallSeconds = (performance.now() - began) / 1000
  const { user, system } = process.cpuUsage(cpu)
  const failures = result.non2xx + result.errors
  return {
    calls: result['2xx'],
    perSecond: result['2xx'] / result.duration,
    p50: result.latency.p50,
    p99: result.latency.p99,
    failures,
    ...(failures > 0 ? { failure: `${result.non2xx} answers that were not 2xx, ${result.errors} errors` } : {}),
    clientCores: (user + system) / 1e6 / wallSeconds,
  }
}

async function fire({ url, token, inFlight }: RestJob, forMs: number) {
  return await autocannon({
    url,
    connections: inFlight,
    duration: forMs / 1000,
    ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
  })
}
