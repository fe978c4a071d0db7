import { copyFile, readdir, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Keeps every log below `maxBytes`, with one older part beside it (`x.log.1`). Copy and truncate, since the processes
 * write to their files themselves, with O_APPEND: they must be able to go on when the agent is gone, and a pipe to it
 * would kill them then. Lines written between the copy and the cut are lost.
 */
export async function boundLogs(dir: string, maxBytes: number): Promise<void> {
  for (const name of await readdir(dir)) {
    if (!name.endsWith('.log')) continue
    const path = join(dir, name)
    if ((await stat(path)).size <= maxBytes) continue
    await copyFile(path, `${path}.1`)
    await truncate(path, 0)
  }
}
