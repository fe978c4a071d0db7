import type { Clock } from '#libs/base'

/** The real time, and as much more as a test says has passed. */
export class ShiftedClock implements Clock {
  #shiftMs = 0

  now(): Date {
    return new Date(Date.now() + this.#shiftMs)
  }

  advance(ms: number): void {
    this.#shiftMs += ms
  }
}
