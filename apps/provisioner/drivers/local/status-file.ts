import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { NodeStatus } from '#libs/domain/nodes'

/** What the node's agent said last; undefined before it said anything. Replaced as a whole, so never half of it. */
export async function readStatus(dir: string): Promise<NodeStatus | undefined> {
  try {
    return JSON.parse(await readFile(join(dir, 'status.json'), 'utf8')) as NodeStatus
  } catch {
    return undefined
  }
}
