import { describe, expect, test } from 'vitest'
import { type CellInventory, cellCost, requestsAnswered, shareOf, totalCost } from './cost.ts'
import { divideRounded, formatMicro, parseDecimal } from './decimal.ts'
import { readPriceTable } from './prices.ts'

const file = {
  currency: 'USD',
  month: '2026-06',
  source: 'a test',
  drivers: {
    ec2: {
      machineHour: { 'm7i.large': '0.1008' },
      volumeGibMonth: '0.08',
      addressHour: '0.005',
      databaseHour: '0.1',
      requestsPerSecond: { 'm7i.large': 2000 },
      regions: { 'aws-us-east-1': '1', 'aws-eu-central-1': '1.2' },
    },
    local: { machineHour: { local: '0' }, volumeGibMonth: '0', addressHour: '0', databaseHour: '0' },
  },
}
const prices = readPriceTable(JSON.stringify(file))
const cell: CellInventory = {
  region: 'aws-us-east-1',
  driver: 'ec2',
  machines: [{ instanceType: 'm7i.large', count: 3 }],
  volumeGib: 150,
  addresses: 3,
  hasDatabase: true,
}

describe('decimals', () => {
  test.each([
    ['0', 0n],
    ['0.0816', 81_600n],
    ['12', 12_000_000n],
    ['0.000001', 1n],
  ])('%s is read exactly', (text, amount) => expect(parseDecimal(text, 6)).toBe(amount))
  test.each(['', '.5', '1.', '-1', '1e3', '0.0000001', '1,5', ' 1', '1234567890123', 'NaN'])('%j is refused', (text) =>
    expect(() => parseDecimal(text, 6)).toThrow('is not a decimal number'),
  )
  test('are written with six digits', () => {
    expect(formatMicro(81_600n)).toBe('0.081600')
    expect(formatMicro(1_000_000_000_001n)).toBe('1000000.000001')
  })
  test('half a millionth rounds up', () => {
    expect([divideRounded(1n, 2n), divideRounded(1n, 3n), divideRounded(5n, 3n)]).toEqual([1n, 0n, 2n])
  })
})

describe('cellCost', () => {
  test('adds machines, volumes, addresses and the share of the database', () => {
    const { items, perHour, isComplete } = cellCost(prices, cell)
    expect(items).toEqual([
      { kind: 'machine', type: 'm7i.large', quantity: 3, perHour: 302_400n },
      // 150 GiB × $0.08 ÷ 730 h
      { kind: 'volume', quantity: 150, perHour: 16_438n },
      { kind: 'address', quantity: 3, perHour: 15_000n },
      { kind: 'database', quantity: 1, perHour: 100_000n },
    ])
    expect(perHour).toBe(433_838n)
    expect(isComplete).toBe(true)
  })
  test('multiplies by the region', () => {
    expect(cellCost(prices, { ...cell, region: 'aws-eu-central-1' }).items[0]?.perHour).toBe(362_880n)
  })
  test.each([
    ['a type', { machines: [{ instanceType: 'x9.huge', count: 1 }] }],
    ['a type of the language', { machines: [{ instanceType: 'constructor', count: 1 }] }],
    ['a type that was not named yet', { machines: [{ instanceType: undefined, count: 1 }] }],
    ['a region', { region: 'aws-mars-1' }],
    ['a driver', { driver: 'gcp' }],
    ['the size of the volumes', { volumeGib: undefined }],
  ])('%s without a price is unknown, and not 0', (_what, strange) => {
    const { items, isComplete } = cellCost(prices, { ...cell, ...strange })
    expect(isComplete).toBe(false)
    expect(items.some((item) => item.perHour === undefined)).toBe(true)
    expect(items.some((item) => item.perHour === 0n)).toBe(false)
  })
  test('local nodes cost nothing since the table says so, and are unknown when it does not', () => {
    const local = { ...cell, driver: 'local', machines: [{ instanceType: undefined, count: 1 }], volumeGib: 0 }
    expect(cellCost(prices, local)).toMatchObject({ perHour: 0n, isComplete: true })
    const { local: _, ...drivers } = file.drivers
    const without = readPriceTable(JSON.stringify({ ...file, drivers }))
    expect(cellCost(without, local)).toMatchObject({ perHour: 0n, isComplete: false })
  })
  test('a cell without anything has no lines', () => {
    const nothing = { ...cell, machines: [], volumeGib: 0, addresses: 0, hasDatabase: false }
    expect(cellCost(prices, nothing)).toEqual({ items: [], perHour: 0n, isComplete: true })
  })
})

test('a thousand cells cost exactly a thousand times as much', () => {
  const all = totalCost(Array.from({ length: 1_000 }, () => cellCost(prices, cell)))
  expect(all.perHour).toBe(433_838_000n)
  expect(all.items[0]).toEqual({ kind: 'machine', type: 'm7i.large', quantity: 3_000, perHour: 302_400_000n })
  const unknown = cellCost(prices, { ...cell, machines: [{ instanceType: 'x9.huge', count: 2 }] })
  const both = totalCost([cellCost(prices, cell), unknown])
  expect(both.isComplete).toBe(false)
  expect(both.items.find(({ type }) => type === 'x9.huge')).toMatchObject({ quantity: 2, perHour: undefined })
})

test('a namespace has an even share, and none when there is no namespace', () => {
  expect(shareOf(433_838n, 1_000)).toBe(434n)
  expect(shareOf(433_838n, 0)).toBeUndefined()
})

test('what machines answer is known when every type was measured', () => {
  const large = { instanceType: 'm7i.large', count: 3 }
  expect(requestsAnswered(prices, 'ec2', [large])).toBe(6_000)
  expect(requestsAnswered(prices, 'ec2', [large, { instanceType: 'x9.huge', count: 1 }])).toBeUndefined()
  expect(requestsAnswered(prices, 'local', [{ instanceType: undefined, count: 1 }])).toBeUndefined()
})

describe('readPriceTable', () => {
  test.each([
    [{ currency: 'dollars' }, 'currency'],
    [{ month: 'June' }, 'month'],
    [{ source: '' }, 'source'],
    [{ more: 1 }, 'the file has no more'],
    [{ drivers: [] }, 'drivers must be an object'],
    [{ drivers: { ec2: { machineHour: { a: 0.1 } } } }, 'drivers.ec2.machineHour.a must be text'],
    [{ drivers: { ec2: { machineHour: { a: 'x' } } } }, 'drivers.ec2.machineHour.a: "x" is not a decimal number'],
    [{ drivers: { ec2: { machineHour: {}, volume: '1' } } }, 'drivers.ec2 has no volume'],
    [{ drivers: { ec2: { machineHour: {}, regions: { a: '1.00001' } } } }, 'drivers.ec2.regions.a'],
    [{ drivers: { ec2: { machineHour: {}, requestsPerSecond: { a: 0 } } } }, 'whole number above 0'],
  ])('refuses %j', (wrong, words) => {
    expect(() => readPriceTable(JSON.stringify({ ...file, ...wrong }))).toThrow(words)
  })
})
