import { setTimeout as delay } from 'node:timers/promises'
import { isRunning, type ProcessIdentity } from './identity.ts'

/** The end of a process that is no child tells nobody: it is looked at this often. Milliseconds. */
const lookMs = 20

/** Waits until none of them lives. @returns false when one still does after `timeoutMs`. */
export async function allGone(identities: readonly ProcessIdentity[], timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs
  while (identities.some(isRunning)) {
    if (performance.now() > deadline) return false
    await delay(lookMs)
  }
  return true
}
