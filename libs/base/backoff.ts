export interface BackoffOptions {
  /** Milliseconds before the first retry. */
  readonly initialMs: number
  /** Milliseconds that no delay exceeds. */
  readonly maxMs: number
}

/** Exponential delay in milliseconds for the nth consecutive failure (1 = first), with full jitter in its upper half. */
export function backoffMs(failures: number, options: BackoffOptions): number {
  const ceiling = Math.min(options.maxMs, options.initialMs * 2 ** Math.min(failures - 1, 30))
  return Math.round(ceiling / 2 + Math.random() * (ceiling / 2))
}
