import { readdirSync, readFileSync } from 'node:fs'
import { identify, type ProcessIdentity } from './identity.ts'

/**
 * Living processes whose environment holds exactly each of `entries` (`NAME=value`). Finds a child whose starter died between
 * starting it and writing its pid file; processes of other users cannot be read and are left out.
 */
export function findByEnvironment(...entries: readonly string[]): ProcessIdentity[] {
  const found: ProcessIdentity[] = []
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    if (!Number.isInteger(pid)) continue
    const environment = environmentOf(pid)
    if (!entries.every((entry) => environment.includes(entry))) continue
    const identity = identify(pid)
    if (identity !== undefined) found.push(identity)
  }
  return found
}

function environmentOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
  } catch {
    return []
  }
}
