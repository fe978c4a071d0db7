import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { edgeFiles } from '#libs/domain/edges'
import { reopenLogs } from '../edge/envoy-admin.ts'

/** Up to where a file was read. */
export interface FilePlace {
  readonly inode: number
  readonly offset: number
}

export interface ReadLines {
  /** Whole lines, without what stands after the last of them. */
  readonly lines: readonly string[]
  readonly place: FilePlace | undefined
}

/** A file of this length is put aside: so much of it is on disk, and what comes in between two looks. */
const maxBytes = 8 * 1024 * 1024
const chunkBytes = 4 * 1024 * 1024

/**
 * The file that Envoy writes refusals to, read from a place on. When it is long enough it gets another name, and Envoy is
 * told to open it anew: unlike with a copy that is cut, no line is lost. The renamed one is read to its end and
 * deleted once the new one is there, since from then on Envoy writes to no other.
 */
export class RefusalFile {
  readonly #dir: string
  readonly #path: string
  readonly #old: string
  readonly #maxBytes: number

  constructor(dir: string, bytes = maxBytes) {
    this.#dir = dir
    this.#path = join(dir, edgeFiles.refusals)
    this.#old = `${this.#path}.old`
    this.#maxBytes = bytes
  }

  /** The next lines after a place, at most a few megabytes of them: none means that everything was read. */
  async read(after: FilePlace | undefined): Promise<ReadLines> {
    // Before the old one is read: once the new one is there, what the old one holds is all that it ever will.
    const current = await stat(this.#path).catch(ifAbsent)
    const old = await stat(this.#old).catch(ifAbsent)
    if (old !== undefined && (current === undefined || after?.inode !== current.ino)) {
      const read = await readFrom(this.#old, after)
      if (read.lines.length > 0 || current === undefined) {
        if (current === undefined) await reopenLogs(this.#dir)
        return read
      }
      // What is left of it is half a line of an Envoy that was killed.
      await rm(this.#old)
      return await readFrom(this.#path, undefined)
    }
    if (current === undefined) return { lines: [], place: after }
    if (old !== undefined) await rm(this.#old)
    const read = await readFrom(this.#path, after)
    if (current.size > this.#maxBytes) {
      await rename(this.#path, this.#old)
      await reopenLogs(this.#dir)
    }
    return read
  }
}

async function readFrom(path: string, after: FilePlace | undefined): Promise<ReadLines> {
  let file: FileHandle
  try {
    file = await open(path)
  } catch (thrown) {
    ifAbsent(thrown)
    return { lines: [], place: after }
  }
  try {
    const { ino: inode, size } = await file.stat()
    // Another file than before, or one that somebody cut, is read from its beginning.
    const offset = after?.inode === inode && after.offset <= size ? after.offset : 0
    const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(chunkBytes, size - offset)), 0, null, offset)
    const end = buffer.subarray(0, bytesRead).lastIndexOf(10) + 1
    // No line is as long as that: damage, which is passed over.
    if (end === 0 && bytesRead === chunkBytes) return { lines: [], place: { inode, offset: offset + bytesRead } }
    const lines = buffer.toString('utf8', 0, end).split('\n').slice(0, -1)
    return { lines, place: { inode, offset: offset + end } }
  } finally {
    await file.close()
  }
}

function ifAbsent(thrown: unknown): undefined {
  if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown
  return undefined
}
