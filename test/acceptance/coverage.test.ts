import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { grpcCall } from './both-transports.ts'
import { cloudMethods } from './contract.ts'
import { code } from './edge.ts'
import { signUp } from './tenant.ts'

/** The rows of the table of methods: method → test files. */
function rows(): ReadonlyMap<string, readonly string[]> {
  const text = readFileSync(join(import.meta.dirname, 'API_COVERAGE.md'), 'utf8')
  const [, table = ''] = /\n\| -+ .*\n((?:\|.*\n)+)/.exec(text) ?? []
  const lines = table.trim().split('\n')
  return new Map(
    lines.map((line) => {
      const [, name = '', files = ''] = line.split('|').map((cell) => cell.trim())
      return [name, Array.from(files.matchAll(/`([^`]+)`/g), (match) => match[1] ?? '')]
    }),
  )
}

test('API_COVERAGE.md names every method that is there, and no other', async () => {
  const { api } = await signUp('Coverage')
  const there: string[] = []
  for (const method of cloudMethods) {
    const { grpcStatus } = await grpcCall(api.token, method, Buffer.of())
    if (grpcStatus !== code.unimplemented) there.push(method.name)
  }
  expect([...rows().keys()].toSorted()).toEqual(there.toSorted())
})

test('API_COVERAGE.md names files that exist', () => {
  const files = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  for (const [name, tests] of rows()) {
    expect(tests.length, name).toBeGreaterThan(1)
    for (const file of tests) expect(files, name).toContain(file)
  }
})

test('every method in API_COVERAGE.md is called through npm’s client by one of its files', () => {
  for (const [name, tests] of rows()) {
    const call = `.${name.charAt(0).toLowerCase()}${name.slice(1)}(`
    const callers = tests.filter((file) => readFileSync(join(import.meta.dirname, file), 'utf8').includes(call))
    expect(callers, name).not.toEqual([])
  }
})
