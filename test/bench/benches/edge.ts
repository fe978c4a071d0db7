import proto from '@temporalio/proto'
import type { GrpcEndpoint, LoadResult } from '../load/job.ts'
import type { Measurement } from '../measurement.ts'
import { alternate } from '../rounds.ts'
import type { Scene } from '../scene.ts'
import { median, ratioOf } from '../statistics.ts'

const service = '/temporal.api.workflowservice.v1.WorkflowService'
const inFlight = 50
/** As many clients as there would be at the least: Envoy serves one connection by one thread. */
const connections = 10
const credentials = ['API key', 'certificate'] as const

/** The ways to a cell. */
type Way = 'direct' | (typeof credentials)[number]

interface Call {
  readonly method: string
  /** The encoded request about a namespace. */
  message(namespace: string): Uint8Array
}

const { DescribeNamespaceRequest } = proto.temporal.api.workflowservice.v1
const calls: readonly Call[] = [
  // One that asks the cell's database, as calls do that are made for something.
  {
    method: 'DescribeNamespace',
    message: (namespace) => DescribeNamespaceRequest.encode({ namespace }).finish(),
  },
  // The smallest there is: nothing but the way itself.
  { method: 'GetSystemInfo', message: () => new Uint8Array() },
]

/** The same calls through the edge and past it, with the same rights. */
export async function benchEdge(scene: Scene): Promise<readonly Measurement[]> {
  const rows: Measurement[] = []
  for (const call of calls) rows.push(...(await benchAlone(scene, call)))
  for (const call of calls) rows.push(...(await benchCrowded(scene, call)))
  return rows
}

async function endpointOf(scene: Scene, way: Way, namespace: string): Promise<GrpcEndpoint> {
  if (way === 'direct') return await scene.direct(namespace)
  return scene.edge(namespace, way === 'certificate' ? 'certificate' : 'key')
}

async function benchAlone(scene: Scene, { method, message }: Call): Promise<readonly Measurement[]> {
  const { load, quick, screen, namespaceId } = scene
  const ways: readonly Way[] = ['direct', ...credentials]
  const endpoints = await Promise.all(ways.map((way) => endpointOf(scene, way, namespaceId)))
  const measureMs = quick ? 1_500 : 4_000
  const rounds: (readonly number[])[] = []
  for (let round = 0; round < (quick ? 3 : 7); round += 1) {
    screen.progress(`${method}, round ${round + 1}`)
    const job = { kind: 'turns', endpoints, path: `${service}/${method}`, message: message(namespaceId) } as const
    rounds.push((await load.takeTurns({ ...job, warmupMs: measureMs / 4, measureMs })).p50)
  }
  const [direct, ...edges] = ways.map((_, way) => rounds.map((p50) => p50[way] ?? Number.NaN))
  if (direct === undefined) return []
  return edges.map((times, index) => ({
    name: `${method} through the edge, ${credentials[index]}, p50`,
    unit: 'ms',
    ours: median(times),
    floor: median(direct),
    ratio: ratioOf(times, direct),
    target: { of: 'ratio', is: 'at most', value: 1.4 },
    note: 'One call at a time by grpc-js, to each in turn. Floor: straight to the frontend, in plaintext, with the namespace token that the edge would add.',
  }))
}

async function benchCrowded(scene: Scene, { method, message }: Call): Promise<readonly Measurement[]> {
  const { load, quick, screen, namespaceIds } = scene
  const measureMs = quick ? 500 : 2_000
  const measure = (way: Way) => async (): Promise<LoadResult> => {
    const targets = namespaceIds.map(async (id) => ({
      endpoint: await endpointOf(scene, way, id),
      message: message(id),
    }))
    return load.run({
      kind: 'grpc',
      path: `${service}/${method}`,
      targets: await Promise.all(targets),
      connections,
      inFlight,
      warmupMs: measureMs / 4,
      measureMs,
    })
  }
  const rounds = await alternate<Way, LoadResult>(screen, quick ? 3 : 9, {
    direct: measure('direct'),
    'API key': measure('API key'),
    certificate: measure('certificate'),
  })
  const rates = (of: readonly LoadResult[]): readonly number[] => of.map(({ perSecond }) => perSecond)
  const cores = (of: readonly LoadResult[]): string => median(of.map(({ clientCores }) => clientCores)).toFixed(2)
  const took = Object.entries(rounds).map(([way, of]) => `${way} ${cores(of)}`)
  return credentials.map((credential) => ({
    name: `${method} through the edge, ${credential}, ${inFlight} in flight`,
    unit: '/s',
    ours: median(rates(rounds[credential])),
    floor: median(rates(rounds.direct)),
    ratio: ratioOf(rates(rounds[credential]), rates(rounds.direct)),
    target: { of: 'ratio', is: 'at least', value: 0.8 },
    note: `${connections} connections to ${namespaceIds.length} namespaces, by node:http2, which is as light as a client can be. It shares the cores with the rest; for ${method} it took of them: ${took.join(', ')}.`,
  }))
}
