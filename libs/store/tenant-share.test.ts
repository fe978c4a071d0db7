import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { TenantShare } from './tenant-share.ts'

test('a tenant has so many at once, in the order in which they came, and is in nobody else’s way', async () => {
  const share = new TenantShare(2)
  const began: string[] = []
  const ends: (() => void)[] = []
  const run = (tenant: string, name: string) =>
    share.run(tenant, () => {
      began.push(name)
      return new Promise<void>((resolve) => ends.push(resolve))
    })
  const all = [run('a', 'a1'), run('a', 'a2'), run('a', 'a3'), run('a', 'a4'), run('b', 'b1')]
  await turn()
  expect(began).toEqual(['a1', 'a2', 'b1'])
  ends[1]?.()
  await all[1]
  await turn()
  expect(began).toEqual(['a1', 'a2', 'b1', 'a3'])
  ends[0]?.()
  await all[0]
  await turn()
  for (const end of ends) end()
  await Promise.all(all)
  expect(began).toEqual(['a1', 'a2', 'b1', 'a3', 'a4'])
})

test('work that fails gives its place back', async () => {
  const share = new TenantShare(1)
  await expect(share.run('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  await expect(share.run('a', async () => 'yes')).resolves.toBe('yes')
})
