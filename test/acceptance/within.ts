import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'

/** What the product promises: a change acts at every edge and at the API within this time, in milliseconds. */
export const promiseMs = 5_000

const measured: string[] = []

/**
 * Calls again and again until the outcome is the one that a change has to bring, and wants that within the promise,
 * counted from now. Any outcome before it must be the one from before the change.
 * @returns the milliseconds it took.
 */
export async function withinPromise<Outcome>(
  what: string,
  ask: () => Promise<Outcome>,
  { from, to }: { readonly from: Outcome; readonly to: Outcome },
): Promise<number> {
  const began = performance.now()
  for (;;) {
    const outcome = await ask()
    const ms = performance.now() - began
    if (outcome === to) {
      measured.push(`${what}: ${(ms / 1000).toFixed(2)} s`)
      expect(ms, what).toBeLessThan(promiseMs)
      return ms
    }
    expect(outcome, `${what}, after ${Math.round(ms)} ms`).toBe(from)
    if (ms > promiseMs) throw new Error(`${what}: still ${String(outcome)} after ${Math.round(ms)} ms`)
    await delay(50)
  }
}

/** What was measured in this file, a line each. */
export function measurements(): string {
  return measured.map((line) => `  ${line}`).join('\n')
}
