import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'

/** What the product promises: a change acts at every edge and at the API within this time, in milliseconds. */
const promiseMs = 5_000

const measured: string[] = []

export interface Turn<Outcome> {
  /** Begins the change; the time counts from here. */
  readonly change: () => Promise<unknown>
  /** One attempt of what the change is about, as a caller would make it. */
  readonly ask: () => Promise<Outcome>
  /** The outcome before the change, and still meanwhile. */
  readonly from: Outcome
  /** The outcome that the change has to bring. */
  readonly to: Outcome
}

/** Makes a change and asks again and again: fails unless the outcome turns, at once from one to the other, in time. */
export async function withinPromise<Outcome>(what: string, { change, ask, from, to }: Turn<Outcome>): Promise<void> {
  expect(await ask(), `${what}: before`).toBe(from)
  const began = performance.now()
  const changed = change()
  // Whoever only waits for the change would hear of its failure too late.
  changed.catch(() => undefined)
  for (;;) {
    const outcome = await ask()
    const ms = performance.now() - began
    if (ms > promiseMs) throw new Error(`${what}: ${String(outcome)} after ${Math.round(ms)} ms`)
    if (outcome === to) {
      measured.push(`${what}: ${(ms / 1000).toFixed(2)} s`)
      break
    }
    expect(outcome, `${what}: after ${Math.round(ms)} ms`).toBe(from)
    await Promise.race([changed, delay(20)])
  }
  await changed
}

/** What was measured in this file, a line each. */
export function measurements(): string {
  return measured.map((line) => `  ${line}`).join('\n')
}
