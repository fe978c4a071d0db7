import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { RefusalQueue } from './refusal-queue.ts'

let dir: string
let path: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'refusals-'))
  path = join(dir, 'notes.json')
})
afterEach(() => rm(dir, { recursive: true }))

function line(operation: string, more: object = {}): string {
  const fields = {
    namespace: 'a.t',
    time: '1795376423.394',
    path: operation,
    status: 200,
    grpc: 16,
    why: 'direct_response',
  }
  return JSON.stringify({ ...fields, route: 'because', source: '192.0.2.1', ...more })
}

const at = (offset: number) => ({ inode: 1, offset })

test('a batch is the same until it was sent, also for the next agent', async () => {
  const first = await RefusalQueue.open(path)
  first.take([line('/a')], at(10), 0)
  const batch = await first.next(0)
  expect(batch).toMatchObject({ number: 1, refusals: [{ operation: '/a', at: 1_795_376_423_394 }] })
  // Before it is sent, whatever happens then.
  expect(await (await RefusalQueue.open(path)).next(0)).toEqual(batch)
  first.take([line('/b')], at(20), 0)
  await first.save()
  const second = await RefusalQueue.open(path)
  expect(second.place).toEqual(at(20))
  expect(await second.next(0)).toEqual(batch)
  await second.sent()
  expect(await second.next(0)).toMatchObject({ stream: batch?.stream, number: 2, refusals: [{ operation: '/b' }] })
  await second.sent()
  expect(await second.next(0)).toBeUndefined()
})

test('what was read and not written down is read again', async () => {
  const first = await RefusalQueue.open(path)
  first.take([line('/a')], at(10), 0)
  expect((await RefusalQueue.open(path)).place).toBeUndefined()
})

test('what there is no room for is counted, and told', async () => {
  const queue = await RefusalQueue.open(path, { max: 3 })
  const lines = [1, 2, 3, 4, 5].map((number) => line(`/${number}`))
  queue.take([...lines, line('/6', { namespace: 'b.t' })], at(10), 0)
  const batch = await queue.next(0)
  expect(batch?.refusals.map(({ namespaceId, operation, repeats }) => [namespaceId, operation, repeats])).toEqual([
    ['a.t', 'several', 2],
    ['b.t', 'several', 1],
    ['a.t', '/1', 1],
    ['a.t', '/2', 1],
    ['a.t', '/3', 1],
  ])
  await queue.sent()
  expect(await queue.next(0)).toBeUndefined()
})

test('batches are bounded', async () => {
  const queue = await RefusalQueue.open(path)
  const lines = Array.from({ length: 700 }, (_, index) => line('/x', { namespace: `n${index}.t` }))
  queue.take(lines, at(10), 0)
  expect((await queue.next(0))?.refusals).toHaveLength(500)
  await queue.sent()
  expect((await queue.next(0))?.refusals).toHaveLength(200)
})

test('nothing to write is not written, and damaged notes begin anew under another name', async () => {
  const queue = await RefusalQueue.open(path)
  await queue.save()
  await expect(readFile(path)).rejects.toThrow('ENOENT')
  queue.take([line('/a')], at(10), 0)
  const stream = (await queue.next(0))?.stream
  await writeFile(path, '{"stream":')
  const other = await RefusalQueue.open(path)
  other.take([line('/a')], at(10), 0)
  const batch = await other.next(0)
  expect(batch?.number).toBe(1)
  expect(batch?.stream).not.toBe(stream)
})
