import { appendFile, mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { boundLogs, lastLine } from './log-files.ts'

const dir = await mkdtemp(join(tmpdir(), 'logs-'))
afterAll(() => rm(dir, { recursive: true, force: true }))

it('cuts a log that is too long, under the hands of who writes it', async () => {
  const writer = await open(join(dir, 'a.log'), 'a')
  await writer.write('old '.repeat(100))
  await appendFile(join(dir, 'b.log'), 'short')
  await boundLogs(dir, 100)
  await writer.write('new')
  await writer.close()
  expect(await readFile(join(dir, 'a.log'), 'utf8')).toBe('new')
  expect(await readFile(join(dir, 'a.log.1'), 'utf8')).toBe('old '.repeat(100))
  expect(await readFile(join(dir, 'b.log'), 'utf8')).toBe('short')
})

it('finds the last words', async () => {
  const path = join(dir, 'c.log')
  expect(await lastLine(path)).toBe('')
  await appendFile(path, `first\n${'x'.repeat(5_000)} the cause\n`)
  expect(await lastLine(path)).toMatch(/^x{490} the cause$/)
  await appendFile(path, 'short\n')
  expect(await lastLine(path)).toBe('short')
})
