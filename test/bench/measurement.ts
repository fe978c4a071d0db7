export interface Target {
  readonly of: 'ours' | 'ratio'
  readonly is: 'at most' | 'at least'
  readonly value: number
}

/** One row of the table. Numbers are in `unit`. */
export interface Measurement {
  readonly name: string
  readonly unit: 'ms' | 's' | '/s' | 'MB'
  readonly ours: number
  /** The same work without us, measured in the same rounds. */
  readonly floor?: number
  /** Ours to floor. A range is that of the rounds: how far to trust it. */
  readonly ratio?: { readonly median: number; readonly low: number; readonly high: number }
  readonly target?: Target
  /** What one has to know to read the numbers right. */
  readonly note?: string
}

/** Whether the target is met; undefined without one. */
export function isMet({ target, ours, ratio }: Measurement): boolean | undefined {
  if (target === undefined) return undefined
  const value = target.of === 'ours' ? ours : ratio?.median
  if (value === undefined) return undefined
  return target.is === 'at most' ? value <= target.value : value >= target.value
}
