import type { Refusal } from './query.ts'

/** When a call is disturbed: instead of its effect, or after it. */
type Moment = 'before' | 'after'

interface Planned {
  readonly action: string
  readonly disturbance: Refusal | 'cut'
  readonly moment: Moment
}

export interface Gate {
  /** Resolves when the call has come. */
  readonly arrived: Promise<void>
  /** Lets it go on. */
  open(): void
}

/** What goes wrong, as the test says. Each fault of one call is used up by it. */
export class Faults {
  readonly #planned: Planned[] = []
  readonly #gates: { readonly action: string; readonly arrive: () => void; readonly opened: Promise<void> }[] = []
  readonly #full: { readonly zone?: string; readonly instanceType?: string }[] = []

  /** The next so many calls are told to come later. */
  throttle(action: string, times = 1): void {
    const refusal = { status: 503, code: 'RequestLimitExceeded', message: 'Request limit exceeded.' }
    for (let time = 0; time < times; time += 1) this.refuse(action, refusal)
  }

  /** The next call is refused, without an effect. */
  refuse(action: string, refusal: Refusal): void {
    this.#planned.push({ action, disturbance: refusal, moment: 'before' })
  }

  /** The next call does its work, and its answer is lost: the connection ends. */
  loseAnswer(action: string): void {
    this.#planned.push({ action, disturbance: 'cut', moment: 'after' })
  }

  /** The connection ends before the next call has done anything. */
  loseRequest(action: string): void {
    this.#planned.push({ action, disturbance: 'cut', moment: 'before' })
  }

  /** The next call waits at a gate before it has done anything. */
  hold(action: string): Gate {
    const arrival = Promise.withResolvers<void>()
    const opening = Promise.withResolvers<void>()
    this.#gates.push({ action, arrive: () => arrival.resolve(), opened: opening.promise })
    return { arrived: arrival.promise, open: () => opening.resolve() }
  }

  /** No room for this type, in this zone; what is left out is any. */
  fill(where: { readonly zone?: string; readonly instanceType?: string }): void {
    this.#full.push(where)
  }

  /** There is room everywhere again. */
  empty(): void {
    this.#full.length = 0
  }

  isFull(zone: string, instanceType: string): boolean {
    return this.#full.some(
      (full) => (full.zone ?? zone) === zone && (full.instanceType ?? instanceType) === instanceType,
    )
  }

  /** The fault that this call takes, if there is one. */
  take(action: string, moment: Moment): Refusal | 'cut' | undefined {
    const index = this.#planned.findIndex((fault) => fault.action === action && fault.moment === moment)
    if (index === -1) return undefined
    return this.#planned.splice(index, 1)[0]?.disturbance
  }

  async pass(action: string): Promise<void> {
    const index = this.#gates.findIndex((gate) => gate.action === action)
    if (index === -1) return
    const [gate] = this.#gates.splice(index, 1)
    gate?.arrive()
    await gate?.opened
  }
}
