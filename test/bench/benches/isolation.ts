import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { rpcNamed } from '#libs/cloud-api'
import type { FloodJob, FloodResult } from '../load/flood.ts'
import type { PacedResult } from '../load/job.ts'
import type { Measurement } from '../measurement.ts'
import { cpuSeconds } from '../processes.ts'
import { alternate } from '../rounds.ts'
import type { Scene } from '../scene.ts'
import { median, percentile, ratioOf } from '../statistics.ts'
import { joinAsTenant } from '../tenant.ts'

/** Of the tenant that is looked at. */
const callsPerSecond = 100
const restConnections = 50
const grpcConnections = 10
const streamsEach = 5
/** Milliseconds for the flood to get going. */
const risingMs = 1_500
/** Of one round. Many short ones, each beside one of the other kind: what else disturbs the machine comes and goes. */
const measureMs = 3_000

interface Look extends PacedResult {
  readonly serverCores: number
}

/** What one tenant notices of another that floods: its p99 with the flood, against its p99 without. */
export async function benchIsolation(scene: Scene): Promise<readonly Measurement[]> {
  const { product, tenant, namespaceId, load, screen } = scene
  // With the limits that a tenant has by default.
  const flooder = await joinAsTenant(product, undefined)
  const [host = '', grpcPort] = product.addresses.grpc.split(':')
  const endpoint = { host, port: Number(grpcPort) }
  const rpc = rpcNamed('GetNamespace')
  const message = rpc.requestType.encode({ namespace: namespaceId }).finish()
  const { pid: apiPid } = JSON.parse(readFileSync(join(product.dataDirectory, 'run', 'api.pid'), 'utf8')) as {
    readonly pid: number
  }
  const look = async (): Promise<Look> => {
    const [cpu, began] = [cpuSeconds(apiPid), performance.now()]
    const result = await load.pace({
      kind: 'paced',
      endpoint: { ...endpoint, token: tenant.token },
      path: rpc.grpcPath,
      message,
      callsPerSecond,
      warmupMs: 500,
      measureMs,
    })
    return { ...result, serverCores: (cpuSeconds(apiPid) - cpu) / ((performance.now() - began) / 1000) }
  }
  const floods: FloodResult[] = []
  const rounds = await alternate(screen, scene.quick ? 6 : 16, {
    flooded: async () => {
      const flood = fork(join(import.meta.dirname, '../load/flood.ts'))
      try {
        const { token } = flooder
        const job: FloodJob = {
          http: product.addresses.http,
          grpc: { ...endpoint, token },
          token,
          restConnections,
          grpcConnections,
          streamsEach,
        }
        flood.send(job)
        await delay(risingMs)
        const result = await look()
        const answered = once(flood, 'message') as Promise<[FloodResult]>
        flood.send('stop')
        floods.push((await answered)[0])
        return result
      } finally {
        flood.kill('SIGKILL')
      }
    },
    quiet: look,
  })
  const cores = (side: 'flooded' | 'quiet') => median(rounds[side].map(({ serverCores }) => serverCores)).toFixed(2)
  // Of all rounds' calls together: a round alone has too few for a p99.
  const of = (side: 'flooded' | 'quiet', share: number) =>
    percentile(
      rounds[side].flatMap(({ times }) => times),
      share,
    )
  const total = (field: 'answered' | 'refused' | 'admitted') => floods.reduce((sum, flood) => sum + flood[field], 0)
  const rate = median(floods.map(({ perSecond }) => perSecond))
  const other = floods.find((flood) => flood.other !== undefined)?.other
  const note = `GetNamespace over gRPC, ${callsPerSecond} calls a second of one tenant. Floor: the same without the other tenant, which floods as fast as it is answered: ${restConnections} connections of REST and ${grpcConnections} of gRPC with ${streamsEach} calls at once each, half of them mutations, with the default limits, from a process at the lowest priority. It was answered ${Math.round(rate)} times a second; of ${total('answered')} answers ${total('refused')} were refusals, ${total('admitted')} were let through. Cores of the API: ${cores('flooded')} with the flood, ${cores('quiet')} without. The ratio is that of all rounds' calls together; in brackets, of the rounds alone.${other === undefined ? '' : ` It also heard: ${other}.`}`
  return (['p50', 'p99'] as const).map((value) => {
    const [ours, floor] = [of('flooded', shares[value]), of('quiet', shares[value])]
    const alone = (side: 'flooded' | 'quiet') => rounds[side].map((result) => result[value])
    return {
      name: `GetNamespace while another tenant floods, ${value}`,
      unit: 'ms',
      ours,
      floor,
      ratio: { ...ratioOf(alone('flooded'), alone('quiet')), median: ours / floor },
      ...(value === 'p99' ? { target: { of: 'ratio', is: 'at most', value: 1.5 } as const } : {}),
      note,
    }
  })
}

const shares = { p50: 0.5, p99: 0.99 } as const
