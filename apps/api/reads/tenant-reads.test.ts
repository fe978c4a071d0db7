import { expect, test } from 'vitest'
import type { Database, Executor } from '#libs/store'
import { TenantReads } from './tenant-reads.ts'

/** Statements that the test ends when it likes. */
function reads() {
  const statements: {
    readonly tenantId: string
    readonly wanted: readonly string[]
    end(failure?: Error): void
  }[] = []
  const database = {
    ofTenant: (_tenantId: string, work: (executor: Executor) => Promise<unknown>) => work({} as Executor),
  } as unknown as Database
  const tenantReads = new TenantReads<string, string>(
    database,
    (_executor, tenantId, wanted) =>
      new Promise((resolve, reject) => {
        const rows = new Map([...wanted].map((id) => [id, `row ${id}`]))
        statements.push({
          tenantId,
          wanted: [...wanted],
          end: (failure) => (failure === undefined ? resolve(rows) : reject(failure)),
        })
      }),
  )
  return { statements, tenantReads }
}

const turns = () => new Promise((resolve) => setImmediate(resolve))

test('a call that comes while a statement is under way shares the next one, never the running one', async () => {
  const { statements, tenantReads } = reads()
  const first = tenantReads.read('t', 'a')
  await turns()
  const second = tenantReads.read('t', 'a')
  const third = tenantReads.read('t', 'b')
  await turns()
  expect(statements.map(({ wanted }) => wanted)).toEqual([['a']])
  statements[0]?.end()
  expect((await first).get('a')).toBe('row a')
  await turns()
  expect(statements.map(({ wanted }) => wanted)).toEqual([['a'], ['a', 'b']])
  statements[1]?.end()
  expect([(await second).get('a'), (await third).get('b')]).toEqual(['row a', 'row b'])
})

test('tenants do not wait for each other, nor share a statement', async () => {
  const { statements, tenantReads } = reads()
  void tenantReads.read('t', 'a')
  void tenantReads.read('u', 'a')
  await turns()
  expect(statements.map(({ tenantId }) => tenantId)).toEqual(['t', 'u'])
})

test('a statement that fails fails its own callers alone', async () => {
  const { statements, tenantReads } = reads()
  const first = tenantReads.read('t', 'a')
  first.catch(() => undefined)
  await turns()
  const second = tenantReads.read('t', 'a')
  statements[0]?.end(new Error('gone'))
  await expect(first).rejects.toThrow('gone')
  await turns()
  statements[1]?.end()
  expect((await second).get('a')).toBe('row a')
})
