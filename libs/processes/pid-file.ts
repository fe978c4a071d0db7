import { readFile } from 'node:fs/promises'
import { writeFileAtomic } from './atomic-file.ts'
import type { ProcessIdentity } from './identity.ts'

/** A process, and what its starter wants to know about it later: a hash of what it was started with. */
export interface PidFile extends ProcessIdentity {
  readonly fingerprint: string
}

/** @returns undefined when there is no such file, or none that can be read: then nothing is known, and nothing is killed. */
export async function readPidFile(path: string): Promise<PidFile | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'))
    if (typeof value !== 'object' || value === null) return undefined
    const { pid, startTime, bootId, fingerprint } = value as Record<string, unknown>
    if (typeof pid !== 'number' || !Number.isInteger(pid) || pid <= 1) return undefined
    if (typeof startTime !== 'string' || typeof bootId !== 'string' || typeof fingerprint !== 'string') return undefined
    return { pid, startTime, bootId, fingerprint }
  } catch {
    return undefined
  }
}

export async function writePidFile(path: string, file: PidFile): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(file)}\n`, { mode: 0o644 })
}
