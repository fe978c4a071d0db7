import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { rpcNamed } from '#libs/cloud-api'
import type { BareOptions } from '../bare-fastify.ts'
import type { LoadResult } from '../load/job.ts'
import type { Measurement } from '../measurement.ts'
import { cpuSeconds } from '../processes.ts'
import { alternate } from '../rounds.ts'
import type { Scene } from '../scene.ts'
import { median, ratioOf } from '../statistics.ts'

const inFlight = 50
/** Clients of gRPC share few connections. */
const grpcConnections = 5
/** The API's default for AQUEDUCT_API_POOL_SIZE. */
const poolSize = 16

interface Round extends LoadResult {
  readonly serverCores: number
}

export async function benchGet(scene: Scene): Promise<readonly Measurement[]> {
  const { product, tenant, namespaceId, load, screen } = scene
  const { token } = tenant
  const bare = fork(join(import.meta.dirname, '../bare-fastify.ts'))
  try {
    const options: BareOptions = { databaseUrl: scene.installation.adminUrl, poolSize }
    bare.send(options)
    const [port] = (await once(bare, 'message')) as [number]
    const { pid: apiPid } = JSON.parse(readFileSync(join(product.dataDirectory, 'run', 'api.pid'), 'utf8')) as {
      readonly pid: number
    }
    const rpc = rpcNamed('GetNamespace')
    const message = rpc.requestType.encode({ namespace: namespaceId }).finish()
    const [host, grpcPort] = product.addresses.grpc.split(':')
    const measureMs = scene.quick ? 2_000 : 4_000
    const times = { inFlight, warmupMs: 1_000, measureMs }
    const rounds = await alternate(screen, scene.quick ? 3 : 7, {
      rest: () =>
        withServer(apiPid, () =>
          load.run({
            kind: 'rest',
            url: `${product.addresses.http}/cloud/namespaces/${namespaceId}`,
            token,
            ...times,
          }),
        ),
      floor: () =>
        withServer(bare.pid ?? 0, () =>
          load.run({ kind: 'rest', url: `http://127.0.0.1:${port}/namespaces/${namespaceId}`, ...times }),
        ),
      grpc: () =>
        withServer(apiPid, () =>
          load.run({
            kind: 'grpc',
            path: rpc.grpcPath,
            targets: [{ endpoint: { host: host ?? '', port: Number(grpcPort), token }, message }],
            connections: grpcConnections,
            ...times,
          }),
        ),
    })
    return (['rest', 'grpc'] as const).map((side) => row(side, rounds[side], rounds.floor))
  } finally {
    bare.disconnect()
  }
}

function row(side: 'rest' | 'grpc', ours: readonly Round[], floor: readonly Round[]): Measurement {
  const rates = (rounds: readonly Round[]): readonly number[] => rounds.map(({ perSecond }) => perSecond)
  const cores = (rounds: readonly Round[]): string => {
    const client = median(rounds.map(({ clientCores }) => clientCores))
    return `server ${median(rounds.map(({ serverCores }) => serverCores)).toFixed(2)}, client ${client.toFixed(2)}`
  }
  const client = side === 'rest' ? 'autocannon' : `${grpcConnections} connections of node:http2`
  return {
    name: `GetNamespace over ${side === 'rest' ? 'REST' : 'gRPC'}, ${inFlight} in flight`,
    unit: '/s',
    ours: median(rates(ours)),
    floor: median(rates(floor)),
    ratio: ratioOf(rates(ours), rates(floor)),
    target: { of: 'ratio', is: 'at least', value: 0.6 },
    note: `Load by ${client}. Floor: bare Fastify with one indexed SELECT and as many database connections, over HTTP, by autocannon. All calls are one tenant's: of ours, those that come together share a statement. Cores: ours ${cores(ours)}; floor ${cores(floor)}.`,
  }
}

async function withServer(pid: number, work: () => Promise<LoadResult>): Promise<Round> {
  const [cpu, began] = [cpuSeconds(pid), performance.now()]
  const result = await work()
  // The warm-up is as busy as the rest.
  const serverCores = (cpuSeconds(pid) - cpu) / ((performance.now() - began) / 1000)
  return { ...result, serverCores }
}
