import { proxyActivities } from '@temporalio/workflow'
import type * as activities from './activities.ts'

const { greet } = proxyActivities<typeof activities>({ startToCloseTimeout: '10 s' })

/** One activity, and its answer. */
export async function greeting(name: string): Promise<string> {
  return await greet(name)
}
