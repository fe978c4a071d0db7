import { setTimeout as delay } from 'node:timers/promises'
import { connectToCell, registerNamespace } from '../cell-connection.ts'
import { grpcCloudClient } from '../cloud-client.ts'
import type { Measurement } from '../measurement.ts'
import { alternate } from '../rounds.ts'
import type { Scene } from '../scene.ts'
import { median, ratioOf } from '../statistics.ts'
import { lookAgainMs } from '../workflow.ts'

const namespaces = 100

/** A hundred namespaces, asked for at the same moment. */
export async function benchBurst(scene: Scene): Promise<readonly Measurement[]> {
  const { product, tenant, screen, cell } = scene
  const client = grpcCloudClient(product, tenant)
  const admin = connectToCell({
    host: cell.address,
    port: cell.frontendPort,
    token: await cell.token('temporal-system:admin'),
  })
  const run = Date.now().toString(36)
  const all = Array.from({ length: namespaces }, (_, index) => index)
  let acknowledged = 0
  try {
    const seconds = await alternate(screen, scene.quick ? 1 : 3, {
      ours: async (round) => {
        const began = performance.now()
        const created = await Promise.all(all.map((index) => client.createNamespace(`burst-${run}-${round}-${index}`)))
        acknowledged = (performance.now() - began) / 1000
        // One after the other: a hundred callers that poll would be what is measured.
        for (const { operationId } of created) {
          while (!(await client.isFulfilled(operationId))) await delay(lookAgainMs)
        }
        return (performance.now() - began) / 1000
      },
      floor: async (round) => {
        const began = performance.now()
        await Promise.all(
          all.map((index) => registerNamespace(admin, `floor-burst-${run}-${round}-${index}.${tenant.id}`)),
        )
        return (performance.now() - began) / 1000
      },
    })
    return [
      {
        name: `${namespaces} namespaces at once, all FULFILLED`,
        unit: 's',
        ours: median(seconds.ours),
        floor: median(seconds.floor),
        ratio: ratioOf(seconds.ours, seconds.floor),
        note: `Floor: ${namespaces} RegisterNamespace at once, straight on the cell. Each of ours was also seen to answer through the edge before it was FULFILLED. The last one was acknowledged after ${acknowledged.toFixed(2)} s.`,
      },
    ]
  } finally {
    client.close()
    admin.close()
  }
}
