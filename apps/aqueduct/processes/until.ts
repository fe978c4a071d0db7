import { setTimeout as delay } from 'node:timers/promises'

/**
 * Asks every `everyMs` until `condition` holds, for things that tell nobody when they happen (a foreign process that
 * ends, a file that another program writes).
 * @returns whether it held before `timeoutMs` were over.
 */
export async function until(condition: () => boolean, timeoutMs: number, everyMs = 20): Promise<boolean> {
  const deadline = performance.now() + timeoutMs
  while (!condition()) {
    if (performance.now() > deadline) return false
    await delay(everyMs)
  }
  return true
}
