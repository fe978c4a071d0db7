import { setTimeout as delay } from 'node:timers/promises'
import { startProduct } from '../../harness/product.ts'
import { connectToCell } from '../cell-connection.ts'
import type { Measurement } from '../measurement.ts'
import { productMemory } from '../processes.ts'
import type { Scene } from '../scene.ts'
import { median } from '../statistics.ts'
import { lookAgainMs, runWorkflow } from '../workflow.ts'

/** Stops the product and starts it again on its data; then looks what everybody holds. Leaves it running. */
export async function benchStart(scene: Scene): Promise<readonly Measurement[]> {
  const ready: number[] = []
  const served: number[] = []
  for (let round = 0; round < (scene.quick ? 1 : 3); round += 1) {
    scene.screen.progress(`start ${round + 1}`)
    const { dataDirectory } = scene.product
    await scene.product.stop()
    const began = performance.now()
    scene.product = await startProduct({ dataDirectory })
    ready.push(scene.product.startMs / 1000)
    await firstWorkflow(scene)
    served.push((performance.now() - began) / 1000)
  }
  const about = 'On the data folder of this run, with every namespace that the benches before it made.'
  return [
    { name: 'start on existing data to ready', unit: 's', ours: median(ready), note: about },
    { name: 'start on existing data to a workflow completed', unit: 's', ours: median(served), note: about },
    ...memory(scene),
  ]
}

async function firstWorkflow(scene: Scene): Promise<void> {
  const connection = connectToCell(scene.edge(scene.namespaceId, 'key'))
  const deadline = performance.now() + 60_000
  try {
    for (;;) {
      try {
        await runWorkflow(connection, scene.namespaceId)
        return
      } catch (thrown) {
        if (performance.now() > deadline) throw thrown
        await delay(lookAgainMs)
      }
    }
  } finally {
    connection.close()
  }
}

function memory({ product }: Scene): readonly Measurement[] {
  const all = productMemory(product.dataDirectory)
  const rows = all.map(({ name, processes, rss, pss }): Measurement => {
    const about = `Resident memory after that start. Shared pages split among those who share them, it is: ${all.map((each) => `${each.name} ${Math.round(each.pss)} MB`).join(', ')}.`
    return {
      name: `memory of ${name}${processes > 1 ? `, ${processes} processes, shared pages once` : ''}`,
      unit: 'MB',
      ours: processes > 1 ? pss : rss,
      note: about,
    }
  })
  return rows
}
