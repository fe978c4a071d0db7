import { copyFile, open, readdir, stat, truncate } from 'node:fs/promises'
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

const tailBytes = 2_048
const lineLength = 500

/** The last line of a log, or the end of it, where the cause stands, when it is too long for a status; empty when there is none. */
export async function lastLine(path: string): Promise<string> {
  try {
    const file = await open(path)
    try {
      const { size } = await file.stat()
      const { buffer, bytesRead } = await file.read(
        Buffer.alloc(tailBytes),
        0,
        tailBytes,
        Math.max(0, size - tailBytes),
      )
      const lines = buffer.toString('utf8', 0, bytesRead).trimEnd().split('\n')
      return lines.at(-1)?.slice(-lineLength) ?? ''
    } finally {
      await file.close()
    }
  } catch {
    return ''
  }
}
