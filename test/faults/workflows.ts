import { condition, defineSignal, proxyActivities, setHandler, sleep } from '@temporalio/workflow'
import type * as activities from './activities.ts'

const { add } = proxyActivities<typeof activities>({
  // One that was handed out on a connection that broke is handed out again after this time.
  startToCloseTimeout: '5 seconds',
  retry: { initialInterval: '100 milliseconds', maximumInterval: '1 second' },
})

export const finish = defineSignal('finish')

/** One activity, one answer. */
export async function sum(one: number, other: number): Promise<number> {
  return add(one, other)
}

/** Counts with an activity and a timer for each, until told to stop. @returns how far it came. */
export async function count(): Promise<number> {
  let finished = false
  setHandler(finish, () => {
    finished = true
  })
  let counted = 0
  while (!finished) {
    counted = await add(counted, 1)
    await Promise.race([sleep('250 milliseconds'), condition(() => finished)])
  }
  return counted
}
