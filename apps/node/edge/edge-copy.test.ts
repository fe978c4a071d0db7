import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createLogger } from '#libs/telemetry'
import { EdgeCopy } from './edge-copy.ts'

let dir: string
let copy: EdgeCopy

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'edge-copy-'))
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] })
  copy = new EdgeCopy({ dir, address: '127.0.0.1', logger: createLogger('test', 'silent') })
  copy.prepare()
})
afterEach(async () => {
  copy.close()
  vi.useRealTimers()
  await rm(dir, { recursive: true })
})

const take = (version: string, ...names: readonly string[]) =>
  copy.take({ version, listeners: [], endpoints: [], routes: names.map((name) => ({ '@type': 'routes', name })) })

async function routes(): Promise<readonly string[]> {
  const { resources } = JSON.parse(await readFile(join(dir, 'edge/routes.json'), 'utf8'))
  return resources.map((resource: { name: string }) => resource.name)
}

test('routes that go stay for five seconds, while the connections that use them end', async () => {
  await take('1', 'a', 'b')
  await take('2', 'a')
  expect(await routes()).toEqual(['a', 'b'])
  await vi.advanceTimersByTimeAsync(5_200)
  await vi.waitFor(async () => expect(await routes()).toEqual(['a']))
})

test('the sweep of an earlier document takes no route of a later one away', async () => {
  await take('1', 'a', 'b')
  await take('2', 'a')
  // Nothing lingers any more, and the sweep that was planned for it has not come yet.
  await vi.advanceTimersByTimeAsync(5_050)
  await take('3', 'a', 'c')
  await vi.advanceTimersByTimeAsync(1_000)
  // Whatever a sweep would write is written by the time that so many files were read.
  for (let turn = 0; turn < 50; turn += 1) expect(await routes()).toEqual(['a', 'c'])
})
