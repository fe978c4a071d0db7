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

/** The ways to a cell, in the order in which they take turns. */
interface Ways {
  readonly direct: GrpcEndpoint
  readonly 'API key': GrpcEndpoint
  readonly certificate: GrpcEndpoint
}

/** The same calls through the edge and past it, with the same rights. */
export async function benchEdge(scene: Scene): Promise<readonly Measurement[]> {
  const { namespaceId: namespace } = scene
  const { DescribeNamespaceRequest } = proto.temporal.api.workflowservice.v1
  const ways: Ways = {
    direct: await scene.direct(namespace),
    'API key': scene.edge(namespace, 'key'),
    certificate: scene.edge(namespace, 'certificate'),
  }
  return [
    ...(await benchAlone(scene, ways, 'DescribeNamespace', DescribeNamespaceRequest.encode({ namespace }).finish())),
    ...(await benchAlone(scene, ways, 'GetSystemInfo', new Uint8Array())),
    // Not DescribeNamespace: the cell lets one namespace have no more than 2,400 calls a second.
    ...(await benchCrowded(scene, ways, 'GetSystemInfo')),
  ]
}

async function benchAlone(
  { load, quick, screen }: Scene,
  ways: Ways,
  method: string,
  message: Uint8Array,
): Promise<readonly Measurement[]> {
  const endpoints = [ways.direct, ...credentials.map((credential) => ways[credential])]
  const measureMs = quick ? 1_500 : 4_000
  const rounds: (readonly number[])[] = []
  for (let round = 0; round < (quick ? 3 : 7); round += 1) {
    screen.progress(`${method}, round ${round + 1}`)
    const job = { kind: 'turns', endpoints, path: `${service}/${method}`, message } as const
    rounds.push((await load.takeTurns({ ...job, warmupMs: measureMs / 4, measureMs })).p50)
  }
  const [direct, ...edges] = endpoints.map((_, way) => rounds.map((p50) => p50[way] ?? Number.NaN))
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

async function benchCrowded(
  { load, quick, screen }: Scene,
  ways: Ways,
  method: string,
): Promise<readonly Measurement[]> {
  const measureMs = quick ? 500 : 2_000
  const measure = (endpoint: GrpcEndpoint) => () =>
    load.run({
      kind: 'grpc',
      endpoint,
      path: `${service}/${method}`,
      message: new Uint8Array(),
      connections,
      inFlight,
      warmupMs: measureMs / 4,
      measureMs,
    })
  const rounds = await alternate<keyof Ways, LoadResult>(screen, quick ? 3 : 9, {
    direct: measure(ways.direct),
    'API key': measure(ways['API key']),
    certificate: measure(ways.certificate),
  })
  const rates = (of: readonly LoadResult[]): readonly number[] => of.map(({ perSecond }) => perSecond)
  const cores = (of: readonly LoadResult[]): string => median(of.map(({ clientCores }) => clientCores)).toFixed(2)
  const took = (Object.keys(ways) as (keyof Ways)[]).map((way) => `${way} ${cores(rounds[way])}`).join(', ')
  return credentials.map((credential) => ({
    name: `${method} through the edge, ${credential}, ${inFlight} in flight`,
    unit: '/s',
    ours: median(rates(rounds[credential])),
    floor: median(rates(rounds.direct)),
    ratio: ratioOf(rates(rounds[credential]), rates(rounds.direct)),
    target: { of: 'ratio', is: 'at least', value: 0.8 },
    note: `${connections} connections of node:http2, as light as a client can be. It shares the cores with the rest; of them it took: ${took}.`,
  }))
}
