/** Amounts are whole micro-units of the currency, as bigint: nothing drifts, however many of them are summed. */
const micro = 1_000_000n

/**
 * Reads a decimal number exactly: `0.0816`.
 * @param digits after the point that may be there.
 * @returns the number times ten to the power of `digits`.
 * @throws Error for what is not a plain decimal number of at most twelve digits before the point, or has more digits after it.
 */
export function parseDecimal(text: string, digits: number): bigint {
  const [, whole, fraction = ''] = /^(\d{1,12})(?:\.(\d+))?$/.exec(text) ?? []
  if (whole === undefined || fraction.length > digits) {
    throw new Error(`${JSON.stringify(text)} is not a decimal number with at most ${digits} digits after the point`)
  }
  return BigInt(whole + fraction.padEnd(digits, '0'))
}

/** Writes an amount with all six digits after the point. */
export function formatMicro(amount: bigint): string {
  return `${amount / micro}.${String(amount % micro).padStart(6, '0')}`
}

/** Divides amounts that are not negative; half of the last digit rounds up. */
export function divideRounded(amount: bigint, by: bigint): bigint {
  return (amount + by / 2n) / by
}
