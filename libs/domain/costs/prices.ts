import { parseDecimal } from './decimal.ts'

/**
 * What things cost, as the operator's file says it. Prices of an hour are micro-units of the currency, those of a month too. What a
 * table does not name has no price: that is unknown, and never 0.
 */
export interface PriceTable {
  /** ISO 4217: `USD`. */
  readonly currency: string
  /** Of the prices: `2026-06`. */
  readonly month: string
  /** Where they come from, for a person. */
  readonly source: string
  /** By driver name. */
  readonly drivers: Readonly<Record<string, DriverPrices>>
}

export interface DriverPrices {
  /** An hour, by instance type; where machines have no types, by the driver's name. */
  readonly machineHour: Readonly<Record<string, bigint>>
  readonly volumeGibMonth?: bigint
  readonly addressHour?: bigint
  /** A cell's share of the server that its databases are on. */
  readonly databaseHour?: bigint
  /** Requests a second that a machine answers, by instance type, where somebody measured it. */
  readonly requestsPerSecond: Readonly<Record<string, number>>
  /** By region id: what every price is multiplied by, in ten-thousandths. Absent where prices are the same everywhere. */
  readonly regions?: Readonly<Record<string, bigint>>
}

const priceDigits = 6
const factorDigits = 4

/**
 * Reads the file's JSON. Amounts are text, so that they are read exactly.
 * @throws Error that says what is wrong, and where.
 */
export function readPriceTable(text: string): PriceTable {
  const table = record('the file', JSON.parse(text))
  const { currency, month, source, drivers, ...others } = table
  refuseOthers('the file', others)
  if (typeof currency !== 'string' || !/^[A-Z]{3}$/.test(currency))
    throw new Error('currency must be a code, as in USD')
  if (typeof month !== 'string' || !/^\d{4}-(0[1-9]|1[0-2])$/.test(month))
    throw new Error('month must be as in 2026-06')
  if (typeof source !== 'string' || source === '') throw new Error('source must say where the prices come from')
  const entries = Object.entries(record('drivers', drivers))
  return Object.freeze({
    currency,
    month,
    source,
    drivers: Object.fromEntries(entries.map(([name, prices]) => [name, readDriverPrices(`drivers.${name}`, prices)])),
  })
}

function readDriverPrices(where: string, value: unknown): DriverPrices {
  const { machineHour, volumeGibMonth, addressHour, databaseHour, requestsPerSecond, regions, ...others } = record(
    where,
    value,
  )
  refuseOthers(where, others)
  const price = (name: string, amount: unknown) =>
    amount === undefined ? {} : { [name]: decimal(`${where}.${name}`, amount, priceDigits) }
  return {
    machineHour: decimals(`${where}.machineHour`, machineHour, priceDigits),
    ...price('volumeGibMonth', volumeGibMonth),
    ...price('addressHour', addressHour),
    ...price('databaseHour', databaseHour),
    requestsPerSecond: counts(`${where}.requestsPerSecond`, requestsPerSecond ?? {}),
    ...(regions === undefined ? {} : { regions: decimals(`${where}.regions`, regions, factorDigits) }),
  }
}

function decimals(where: string, value: unknown, digits: number): Record<string, bigint> {
  const entries = Object.entries(record(where, value))
  return Object.fromEntries(entries.map(([name, amount]) => [name, decimal(`${where}.${name}`, amount, digits)]))
}

function decimal(where: string, value: unknown, digits: number): bigint {
  if (typeof value !== 'string') throw new Error(`${where} must be text, as in "0.0816"`)
  try {
    return parseDecimal(value, digits)
  } catch (cause) {
    throw new Error(`${where}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

function counts(where: string, value: unknown): Record<string, number> {
  const entries = Object.entries(record(where, value))
  return Object.fromEntries(
    entries.map(([name, count]) => {
      if (typeof count !== 'number' || !Number.isInteger(count) || count <= 0) {
        throw new Error(`${where}.${name} must be a whole number above 0`)
      }
      return [name, count]
    }),
  )
}

function record(where: string, value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new Error(`${where} must be an object`)
}

function refuseOthers(where: string, others: object): void {
  const [strange] = Object.keys(others)
  if (strange !== undefined) throw new Error(`${where} has no ${strange}`)
}
