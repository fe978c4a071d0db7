import proto from '@temporalio/proto'
import type { GrpcEndpoint, GrpcJob, LoadResult } from '../load/job.ts'
import type { Measurement } from '../measurement.ts'
import { alternate } from '../rounds.ts'
import type { Scene } from '../scene.ts'
import { median, ratioOf } from '../statistics.ts'

const service = '/temporal.api.workflowservice.v1.WorkflowService'
const inFlight = 50
/** As many clients as there would be at the least: Envoy serves one connection by one thread. */
const connections = 10

interface Call {
  readonly name: string
  readonly path: string
  readonly message: Uint8Array
  /** Not for calls that name a namespace: the cell lets one namespace have no more than 2,400 of them a second. */
  readonly crowded: boolean
}

interface Round {
  readonly alone: LoadResult
  /** Undefined for a call that is only made alone. */
  readonly crowded: LoadResult | undefined
}

/** The same calls through the edge and past it, with the same rights. */
export async function benchEdge(scene: Scene): Promise<readonly Measurement[]> {
  const { namespaceId: namespace, screen } = scene
  const { DescribeNamespaceRequest } = proto.temporal.api.workflowservice.v1
  const calls: readonly Call[] = [
    {
      name: 'DescribeNamespace',
      path: `${service}/DescribeNamespace`,
      message: DescribeNamespaceRequest.encode({ namespace }).finish(),
      crowded: false,
    },
    { name: 'GetSystemInfo', path: `${service}/GetSystemInfo`, message: new Uint8Array(), crowded: true },
  ]
  const direct = await scene.direct(namespace)
  const rows: Measurement[] = []
  for (const call of calls) {
    screen.line(`  ${call.name}`)
    const rounds = await alternate<'direct' | 'key' | 'certificate', Round>(screen, scene.quick ? 2 : 7, {
      direct: () => measure(scene, direct, call),
      key: () => measure(scene, scene.edge(namespace, 'key'), call),
      certificate: () => measure(scene, scene.edge(namespace, 'certificate'), call),
    })
    rows.push(...rowsOf(call, rounds))
  }
  return rows
}

async function measure({ load, quick }: Scene, endpoint: GrpcEndpoint, call: Call): Promise<Round> {
  const measureMs = quick ? 500 : 2_000
  const job: Omit<GrpcJob, 'client' | 'connections' | 'inFlight'> = {
    kind: 'grpc',
    endpoint,
    path: call.path,
    message: call.message,
    warmupMs: measureMs / 4,
    measureMs,
  }
  return {
    alone: await load.run({ ...job, client: 'grpc-js', connections: 1, inFlight: 1 }),
    crowded: call.crowded ? await load.run({ ...job, client: 'http2', connections, inFlight }) : undefined,
  }
}

function rowsOf(
  call: Call,
  { direct, key, certificate }: Readonly<Record<'direct' | 'key' | 'certificate', readonly Round[]>>,
): readonly Measurement[] {
  const alone = (of: readonly Round[]): readonly number[] => of.map((round) => round.alone.p50)
  const both = [
    ['API key', key],
    ['certificate', certificate],
  ] as const
  return both.flatMap(([credential, rounds]): readonly Measurement[] => [
    {
      name: `${call.name} through the edge, ${credential}, p50`,
      unit: 'ms',
      ours: median(alone(rounds)),
      floor: median(alone(direct)),
      ratio: ratioOf(alone(rounds), alone(direct)),
      target: { of: 'ratio', is: 'at most', value: 1.4 },
      note: 'One call after the other on one connection of grpc-js. Floor: straight to the frontend, in plaintext, with the namespace token that the edge would add.',
    },
    ...crowdedRow(call, credential, rounds, direct),
  ])
}

function crowdedRow(
  call: Call,
  credential: string,
  rounds: readonly Round[],
  direct: readonly Round[],
): readonly Measurement[] {
  const [ours, floor] = [rounds, direct].map((of) => of.flatMap(({ crowded }) => crowded ?? []))
  if (ours === undefined || floor === undefined || ours.length === 0) return []
  const rates = (of: readonly LoadResult[]): readonly number[] => of.map(({ perSecond }) => perSecond)
  const cores = (of: readonly LoadResult[]): string => median(of.map(({ clientCores }) => clientCores)).toFixed(2)
  return [
    {
      name: `${call.name} through the edge, ${credential}, ${inFlight} in flight`,
      unit: '/s',
      ours: median(rates(ours)),
      floor: median(rates(floor)),
      ratio: ratioOf(rates(ours), rates(floor)),
      target: { of: 'ratio', is: 'at least', value: 0.8 },
      note: `${connections} connections of node:http2, as light as a client can be. It shares the cores: it took ${cores(floor)} of them on the direct way, ${cores(ours)} through the edge with ${credential}.`,
    },
  ]
}
