import { randomBytes } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'

export interface AtomicFileOptions {
  /** Permission bits, whatever the umask. */
  readonly mode: number
  /** Whether the content must survive a power cut. */
  readonly durable?: boolean
}

/** Replaces the file as a whole: a reader sees the old content or the new, never a part. */
export async function writeFileAtomic(path: string, content: string, options: AtomicFileOptions): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  try {
    const file = await open(temporary, 'wx', options.mode)
    try {
      await file.chmod(options.mode)
      await file.writeFile(content)
      if (options.durable === true) await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (thrown) {
    await rm(temporary, { force: true })
    throw thrown
  }
}
