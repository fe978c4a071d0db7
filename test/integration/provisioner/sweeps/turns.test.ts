import type { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Database } from '#libs/store'
import { Turns } from '../../../../apps/provisioner/turns.ts'
import { openProvisionerDatabase, type ProvisionerDatabase } from '../../../harness/provisioner-database.ts'

let opened: ProvisionerDatabase
let admin: Client
let database: Database
let one: Turns
let other: Turns
const { signal } = new AbortController()
const everyMs = 3_600_000

beforeAll(async () => {
  opened = await openProvisionerDatabase()
  ;({ admin, database } = opened)
  one = new Turns(database)
  other = new Turns(database)
})
afterAll(async () => {
  await opened[Symbol.asyncDispose]()
})
beforeEach(async () => {
  await admin.query('truncate sweeps')
})

const nothing = async () => undefined

/** A turn that goes on until it is let go. */
async function longTurn(turns: Turns, every: number): Promise<{ end(): void; readonly taken: Promise<boolean> }> {
  const began = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  const taken = turns.take('x', every, signal, async () => {
    began.resolve()
    await gate.promise
  })
  await began.promise
  return { end: () => gate.resolve(), taken }
}

const due = () => admin.query("update sweeps set due_at = now() - interval '1 s'")

test('of many that come at once, one has its turn, and nobody before the next is due', async () => {
  const taken = await Promise.all(
    Array.from({ length: 8 }, (_, index) => (index % 2 === 0 ? one : other).take('x', everyMs, signal, nothing)),
  )
  expect(taken.filter(Boolean)).toHaveLength(1)
  expect(await one.take('x', everyMs, signal, nothing)).toBe(false)
  expect(await one.take('y', everyMs, signal, nothing)).toBe(true)
  await due()
  expect(await other.take('x', everyMs, signal, nothing)).toBe(true)
})

test('while one is at it, nobody else is, however long it is due', async () => {
  const first = await longTurn(one, 1)
  expect(await other.take('x', 1, signal, nothing)).toBe(false)
  first.end()
  expect(await first.taken).toBe(true)
  await due()
  expect(await other.take('x', 1, signal, nothing)).toBe(true)
})

test('a turn that fails is over; one that is broken off is due at once', async () => {
  await expect(one.take('x', everyMs, signal, () => Promise.reject(new Error('x')))).rejects.toThrow('x')
  expect(await one.take('x', everyMs, signal, nothing)).toBe(false)
  await due()
  const ending = new AbortController()
  await one.take('x', everyMs, ending.signal, async () => ending.abort())
  expect(await other.take('x', everyMs, signal, nothing)).toBe(true)
})

test('the turn of a replica that died goes to another; should it wake up all the same, it ends nothing that is not its own', async () => {
  const stopped = await longTurn(one, everyMs)
  expect(await other.take('x', everyMs, signal, nothing)).toBe(false)
  await admin.query("update sweeps set held_until = now() - interval '1 s'")
  const second = await longTurn(other, everyMs)
  stopped.end()
  await stopped.taken
  const { rows } = await admin.query('select holder is not null as held from sweeps')
  expect(rows).toEqual([{ held: true }])
  second.end()
  expect(await second.taken).toBe(true)
})
