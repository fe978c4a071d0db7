import { assertLeaseHolds } from '#libs/store'

/**
 * Every call that changes or asks the world outside of our database goes through here, under the name of its step: one
 * place to count them, the place where a pass that slept through its lease gives way, and the place where the fault tests
 * let the process die before and after each.
 */
export type Outward = <Result>(step: string, call: () => Promise<Result>) => Promise<Result>

/** Where the process is to die, for fault tests: `<step>:before` or `<step>:after`. */
export interface CrashPoint {
  readonly step: string
  readonly when: 'before' | 'after'
}

/** @throws Error for text that is neither empty nor `<step>:before|after`. */
export function parseCrashPoint(text: string): CrashPoint | undefined {
  if (text === '') return undefined
  const [step, when] = text.split(':')
  if (step === undefined || (when !== 'before' && when !== 'after')) {
    throw new Error(`must read <step>:before or <step>:after, not ${JSON.stringify(text)}`)
  }
  return { step, when }
}

export interface OutwardDeps {
  readonly crashPoint: CrashPoint | undefined
  /** Ends the process as SIGKILL does: nothing of ours runs afterwards. */
  readonly crash: () => void
  readonly observe: (step: string, seconds: number, outcome: 'ok' | 'failed') => void
}

export function createOutward({ crashPoint, crash, observe }: OutwardDeps): Outward {
  const dieAt = (step: string, when: CrashPoint['when']) => {
    if (crashPoint?.step === step && crashPoint.when === when) crash()
  }
  return async (step, call) => {
    dieAt(step, 'before')
    assertLeaseHolds()
    const started = performance.now()
    let outcome: 'ok' | 'failed' = 'failed'
    try {
      const result = await call()
      outcome = 'ok'
      return result
    } finally {
      observe(step, (performance.now() - started) / 1000, outcome)
      dieAt(step, 'after')
    }
  }
}
