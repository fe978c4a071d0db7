import { expect, test } from 'vitest'
import type { Database } from '#libs/store'
import { PrincipalLookup } from './principal-lookup.ts'

/** A database whose statements end when the test says so; each is told as the key ids that it asked for. */
function slowDatabase() {
  const statements: { readonly tenantId: string; readonly end: (error?: Error) => void }[] = []
  const database = {
    ofTenant: (tenantId: string) =>
      new Promise((resolve, reject) => {
        statements.push({
          tenantId,
          end: (error) =>
            error === undefined ? resolve(new Map([['key', { statement: statements.length }]])) : reject(error),
        })
      }),
  }
  return { statements, lookup: new PrincipalLookup(database as unknown as Database) }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('who comes while a statement runs shares the next one, never the running one', async () => {
  const { statements, lookup } = slowDatabase()
  const first = lookup.find('a', 'key')
  await turn()
  expect(statements).toHaveLength(1)
  const later = [lookup.find('a', 'key'), lookup.find('a', 'other'), lookup.find('a', 'key')]
  await turn()
  expect(statements).toHaveLength(1)
  statements[0]?.end()
  expect(await first).toBeDefined()
  await turn()
  expect(statements).toHaveLength(2)
  statements[1]?.end()
  expect(await Promise.all(later)).toEqual([{ statement: 2 }, undefined, { statement: 2 }])
})

test('tenants do not wait for each other, and a failure is for its own callers alone', async () => {
  const { statements, lookup } = slowDatabase()
  const failing = lookup.find('a', 'key')
  const other = lookup.find('b', 'key')
  await turn()
  expect(statements.map((statement) => statement.tenantId)).toEqual(['a', 'b'])
  const next = lookup.find('a', 'key')
  statements[0]?.end(new Error('gone'))
  await expect(failing).rejects.toThrow('gone')
  statements[1]?.end()
  expect(await other).toBeDefined()
  await turn()
  statements[2]?.end()
  expect(await next).toBeDefined()
})
