import { setTimeout as delay } from 'node:timers/promises'
import { connectToCell, registerNamespace } from '../cell-connection.ts'
import { type CloudClient, grpcCloudClient, restCloudClient } from '../cloud-client.ts'
import type { Measurement } from '../measurement.ts'
import { alternate } from '../rounds.ts'
import type { Scene } from '../scene.ts'
import { percentile } from '../statistics.ts'
import { lookAgainMs, runWorkflow } from '../workflow.ts'

interface Sample {
  /** Milliseconds until the creation was acknowledged. */
  readonly acknowledged: number
  /** Until the operation was seen to be fulfilled; for the floor, the same as `acknowledged`. */
  readonly ready: number
  /** Until the first workflow's result was there. */
  readonly completed: number
  readonly repeats: number
}

/** From the call that creates a namespace to the result of the first workflow in it, one after the other. */
export async function benchCreate(scene: Scene): Promise<readonly Measurement[]> {
  const { product, tenant, screen } = scene
  const count = scene.quick ? 8 : 50
  const rest = restCloudClient(product, tenant)
  const grpc = grpcCloudClient(product, tenant)
  const admin = connectToCell({
    host: scene.cell.address,
    port: scene.cell.frontendPort,
    token: await scene.cell.token('temporal-system:admin'),
  })
  const run = Date.now().toString(36)
  try {
    await rest.isFulfilled((await rest.createNamespace(`warm-${run}`)).operationId)
    const samples = await alternate<'rest' | 'grpc' | 'floor', Sample>(screen, count, {
      rest: (round) => ours(scene, rest, `rest-${run}-${round}`, 'certificate'),
      grpc: (round) => ours(scene, grpc, `grpc-${run}-${round}`, 'key'),
      floor: async (round) => {
        const namespace = `floor-${run}-${round}.${tenant.id}`
        const began = performance.now()
        await registerNamespace(admin, namespace)
        const acknowledged = performance.now() - began
        const connection = connectToCell(await scene.direct(namespace))
        const repeats = await runWorkflow(connection, namespace)
        const completed = performance.now() - began
        connection.close()
        return { acknowledged, ready: acknowledged, completed, repeats }
      },
    })
    return table(samples)
  } finally {
    rest.close()
    grpc.close()
    admin.close()
  }
}

async function ours(
  scene: Scene,
  client: CloudClient,
  name: string,
  credential: 'key' | 'certificate',
): Promise<Sample> {
  const began = performance.now()
  const { namespaceId, operationId } = await client.createNamespace(name)
  const acknowledged = performance.now() - began
  while (!(await client.isFulfilled(operationId))) await delay(lookAgainMs)
  const ready = performance.now() - began
  const connection = connectToCell(scene.edge(namespaceId, credential))
  const repeats = await runWorkflow(connection, namespaceId)
  const completed = performance.now() - began
  connection.close()
  return { acknowledged, ready, completed, repeats }
}

function table(samples: Readonly<Record<'rest' | 'grpc' | 'floor', readonly Sample[]>>): readonly Measurement[] {
  const { rest, grpc, floor } = samples
  const both = [...rest, ...grpc]
  const row = (
    name: string,
    pick: (sample: Sample) => number,
    share: number,
    mine: readonly Sample[],
    extra: Partial<Measurement> = {},
  ): Measurement => {
    const value = percentile(mine.map(pick), share)
    const least = percentile(floor.map(pick), share)
    const ratio = value / least
    return { name, unit: 'ms', ours: value, floor: least, ratio: { median: ratio, low: ratio, high: ratio }, ...extra }
  }
  const repeats = (of: readonly Sample[]): number => of.reduce((sum, sample) => sum + sample.repeats, 0)
  const about = `${rest.length} of each, one after the other. Floor: RegisterNamespace, and the same workflow, straight on the cell. Calls that were repeated because the cell did not know the namespace yet: ours ${repeats(both)}, floor ${repeats(floor)}.`
  const atMost = (value: number) => ({ note: about, target: { of: 'ours', is: 'at most', value } as const })
  return [
    row('CreateNamespace acknowledged, REST, p50', (sample) => sample.acknowledged, 0.5, rest, { note: about }),
    row('CreateNamespace acknowledged, REST, p99', (sample) => sample.acknowledged, 0.99, rest, { note: about }),
    row('CreateNamespace acknowledged, gRPC, p50', (sample) => sample.acknowledged, 0.5, grpc, { note: about }),
    row('CreateNamespace acknowledged, gRPC, p99', (sample) => sample.acknowledged, 0.99, grpc, { note: about }),
    row('create to operation FULFILLED, p50', (sample) => sample.ready, 0.5, both, { note: about }),
    row('create to first workflow completed, p50', (sample) => sample.completed, 0.5, both, atMost(1000)),
    row('create to first workflow completed, p99', (sample) => sample.completed, 0.99, both, atMost(3000)),
  ]
}
