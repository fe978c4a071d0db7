import { divideRounded } from './decimal.ts'
import type { DriverPrices, PriceTable } from './prices.ts'

/** What a cell has that costs something. */
export interface CellInventory {
  readonly region: string
  readonly driver: string
  /** Machines that are there, those that end included: they are paid for. */
  readonly machines: readonly {
    /** Undefined until the driver has named it. */
    readonly instanceType: string | undefined
    readonly count: number
  }[]
  /** Undefined when nobody says how large they are. */
  readonly volumeGib: number | undefined
  readonly addresses: number
  readonly hasDatabase: boolean
}

/** One line of a bill. */
export interface CostItem {
  readonly kind: 'machine' | 'volume' | 'address' | 'database'
  /** Of machines, their type. */
  readonly type?: string
  /** Machines, addresses, databases; of volumes, GiB. */
  readonly quantity: number
  /** An hour of all of it, in micro-units; undefined when no price is known. */
  readonly perHour: bigint | undefined
}

export interface Cost {
  readonly items: readonly CostItem[]
  /** An hour of all whose price is known, in micro-units. */
  readonly perHour: bigint
  /** False when something has no price: then it costs more than `perHour`. */
  readonly isComplete: boolean
}

/** As providers bill months: 365 days of 24 hours in twelve. */
const hoursPerMonth = 730n
const one = 10_000n
/** What a machine is called whose type nobody knows yet. */
const unknownType = 'unknown'

/** What a cell costs an hour, line by line. Only whole lines are rounded, to a millionth. */
export function cellCost(prices: PriceTable, inventory: CellInventory): Cost {
  const table = Object.hasOwn(prices.drivers, inventory.driver) ? prices.drivers[inventory.driver] : undefined
  const factor = factorOf(table, inventory.region)
  const hourly = (price: bigint | undefined, quantity: number) =>
    price === undefined || factor === undefined ? undefined : divideRounded(price * BigInt(quantity) * factor, one)
  const monthly = (price: bigint | undefined, quantity: number) =>
    price === undefined || factor === undefined
      ? undefined
      : divideRounded(price * BigInt(quantity) * factor, one * hoursPerMonth)
  const { machines, volumeGib, addresses, hasDatabase } = inventory
  const items: CostItem[] = machines
    .filter(({ count }) => count > 0)
    .map(({ instanceType, count }) => {
      // Where machines have no types, the driver's own entry says what one costs.
      const type = instanceType ?? (inventory.driver === 'ec2' ? unknownType : inventory.driver)
      return { kind: 'machine', type, quantity: count, perHour: hourly(own(table?.machineHour, type), count) }
    })
  if (volumeGib === undefined) items.push({ kind: 'volume', quantity: 0, perHour: undefined })
  else if (volumeGib > 0) {
    items.push({ kind: 'volume', quantity: volumeGib, perHour: monthly(table?.volumeGibMonth, volumeGib) })
  }
  if (addresses > 0) {
    items.push({ kind: 'address', quantity: addresses, perHour: hourly(table?.addressHour, addresses) })
  }
  if (hasDatabase) items.push({ kind: 'database', quantity: 1, perHour: hourly(table?.databaseHour, 1) })
  return { items, ...sum(items.map(({ perHour }) => perHour)) }
}

/** All of it, line by line of the same kind and type. */
export function totalCost(costs: readonly Cost[]): Cost {
  const lines = Map.groupBy(
    costs.flatMap(({ items }) => items),
    // Lines without a price stay apart: what they add to is not known.
    ({ kind, type, perHour }) => JSON.stringify([kind, type ?? '', perHour === undefined]),
  )
  const items = [...lines.values()].flatMap((same) => {
    const [first] = same
    if (first === undefined) return []
    const quantity = same.reduce((all, item) => all + item.quantity, 0)
    const { perHour } = sum(same.map((item) => item.perHour))
    return [{ ...first, quantity, perHour: first.perHour === undefined ? undefined : perHour }]
  })
  return { items, ...sum(items.map(({ perHour }) => perHour)) }
}

/** Of each, when it is shared evenly; undefined when there is nobody to share it. */
export function shareOf(perHour: bigint, among: number): bigint | undefined {
  return among === 0 ? undefined : divideRounded(perHour, BigInt(among))
}

/** Requests a second that these machines answer; undefined when nobody measured one of their types. */
export function requestsAnswered(
  prices: PriceTable,
  driver: string,
  frontends: readonly { readonly instanceType: string | undefined; readonly count: number }[],
): number | undefined {
  const known = Object.hasOwn(prices.drivers, driver) ? prices.drivers[driver]?.requestsPerSecond : undefined
  let all = 0
  for (const { instanceType, count } of frontends) {
    const each = own(known, instanceType ?? driver)
    if (each === undefined) return undefined
    all += each * count
  }
  return all
}

function factorOf(table: DriverPrices | undefined, region: string): bigint | undefined {
  if (table === undefined) return undefined
  return table.regions === undefined ? one : own(table.regions, region)
}

function own<Value>(record: Readonly<Record<string, Value>> | undefined, name: string): Value | undefined {
  return record !== undefined && Object.hasOwn(record, name) ? record[name] : undefined
}

function sum(amounts: readonly (bigint | undefined)[]): { readonly perHour: bigint; readonly isComplete: boolean } {
  return {
    perHour: amounts.reduce<bigint>((all, amount) => all + (amount ?? 0n), 0n),
    isComplete: amounts.every((amount) => amount !== undefined),
  }
}
