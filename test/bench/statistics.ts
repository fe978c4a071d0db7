/** @param share 0.5 for the median, 0.99 for p99: the smallest value that so many are not above. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5)
}

/** Ours to floor, round by round: two values of one round saw the same machine. */
export function ratioOf(
  ours: readonly number[],
  floor: readonly number[],
): { readonly median: number; readonly low: number; readonly high: number } {
  const ratios = ours.map((value, round) => value / (floor[round] ?? Number.NaN))
  return { median: median(ratios), low: Math.min(...ratios), high: Math.max(...ratios) }
}
