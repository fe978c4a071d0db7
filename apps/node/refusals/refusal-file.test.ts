import { appendFile, mkdir, mkdtemp, readdir, rename, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { edgeFiles } from '#libs/domain/edges'
import { type FilePlace, RefusalFile } from './refusal-file.ts'

let dir: string
let path: string
let place: FilePlace | undefined
let file: RefusalFile
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'refusals-'))
  await mkdir(join(dir, 'edge'))
  path = join(dir, edgeFiles.refusals)
  place = undefined
  file = new RefusalFile(dir, 100)
})
afterEach(() => rm(dir, { recursive: true }))

async function read(): Promise<readonly string[]> {
  const result = await file.read(place)
  place = result.place
  return result.lines
}

test('whole lines are read once', async () => {
  expect(await read()).toEqual([])
  await appendFile(path, 'one\ntwo\nthr')
  expect(await read()).toEqual(['one', 'two'])
  expect(await read()).toEqual([])
  await appendFile(path, 'ee\n')
  expect(await read()).toEqual(['three'])
})

test('a file that is long enough is put aside, read to its end and deleted', async () => {
  await appendFile(path, `${'x'.repeat(101)}\n`)
  expect(await read()).toHaveLength(1)
  expect(await readdir(join(dir, 'edge'))).toEqual(['refusals.jsonl.old'])
  // Envoy still has it open.
  await appendFile(`${path}.old`, 'last\n')
  expect(await read()).toEqual(['last'])
  await appendFile(`${path}.old`, 'very last\n')
  await appendFile(path, 'new\n')
  expect(await read()).toEqual(['very last'])
  expect(await read()).toEqual(['new'])
  expect(await read()).toEqual([])
  expect(await readdir(join(dir, 'edge'))).toEqual(['refusals.jsonl'])
})

test('an agent that ended before it wrote down any place begins with what was put aside', async () => {
  await appendFile(path, 'one\n')
  await rename(path, `${path}.old`)
  expect(await read()).toEqual(['one'])
  await appendFile(path, 'two\n')
  expect(await read()).toEqual(['two'])
})

test('a file that was cut is read from its beginning', async () => {
  await appendFile(path, 'one\ntwo\n')
  await read()
  await truncate(path)
  await appendFile(path, 'new\n')
  expect(await read()).toEqual(['new'])
})
