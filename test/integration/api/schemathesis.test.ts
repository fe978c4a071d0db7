import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { schemathesisPython } from '../../harness/schemathesis.ts'
import { type ApiUnderTest, type Principal, startApi } from './api-under-test.ts'

/**
 * All of schemathesis' checks but two, and those of stateful runs. `negative_data_rejection`: proto3 JSON takes more
 * spellings than the canonical one that the document shows (numbers in quotes, enums by number, names in snake case).
 * `positive_data_acceptance`: what a schema cannot say (a name is taken, a region is not offered) is refused all the same.
 */
const checks = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'unsupported_method',
  'allow_header_conformance',
  'ignored_auth',
]
/** Generated requests an operation, besides those that cover each keyword of its schema. */
const maxExamples = 8

let api: ApiUnderTest
let owner: Principal
let url: string
let python: string
let folder: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'aqueduct-schemathesis-'))
  python = await schemathesisPython()
  api = await startApi()
  owner = await api.newTenant('aaaaa')
  url = await api.listen()
}, 300_000)
afterAll(async () => {
  await api.close()
  rmSync(folder, { recursive: true, force: true })
})

async function run(...options: readonly string[]): Promise<{ readonly code: number; readonly output: string }> {
  const base = ['-m', 'schemathesis.cli', 'run', `${url}/openapi.json`, '--no-color', '--seed', '4']
  // It leaves what it has seen in the folder that it stands in.
  const child = spawn(python, [...base, ...options], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const listen = (chunk: Buffer) => {
    output += chunk.toString('utf8')
  }
  child.stdout.on('data', listen)
  child.stderr.on('data', listen)
  const [code] = await once(child, 'exit')
  return { code, output }
}

/** Operation ids whose answer, as the document says, is 501. */
async function unserved(): Promise<readonly string[]> {
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as Document
  return Object.values(document.paths)
    .flatMap((path) => Object.values(path))
    .flatMap(({ operationId, responses }) => ('501' in responses ? [operationId] : []))
}

interface Document {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { readonly operationId: string; readonly responses: object }>>>
  >
}

function each(option: string, values: readonly string[]): readonly string[] {
  return values.flatMap((value) => [option, value])
}

test('schemathesis finds no 5xx and no answer that is not in the document', async () => {
  const { code, output } = await run(
    ...['--header', `Authorization: Bearer ${owner.token}`],
    ...['--checks', checks.join(',')],
    ...['--phases', 'examples,coverage,fuzzing', '--continue-on-failure'],
    // One worker: Python 3.11 loses count of its own recursion when two threads parse at once.
    ...['--max-examples', String(maxExamples), '--workers', '1'],
    ...each('--exclude-operation-id', await unserved()),
  )
  expect(code, output).toBe(0)
}, 300_000)

test('what is not served answers as the document says', async () => {
  const { code, output } = await run(
    ...['--header', `Authorization: Bearer ${owner.token}`],
    ...['--checks', checks.filter((check) => check !== 'not_a_server_error').join(',')],
    ...['--phases', 'coverage', '--continue-on-failure', '--max-examples', '2'],
    ...each('--include-operation-id', await unserved()),
  )
  expect(code, output).toBe(0)
}, 300_000)

test('and it would find one that is not', async () => {
  const { code, output } = await run(
    ...['--header', `Authorization: Bearer ${owner.token}`],
    ...['--checks', 'not_a_server_error', '--phases', 'coverage', '--max-examples', '1'],
    ...['--include-operation-id', 'GetUsage'],
  )
  expect(code, output).toBe(1)
}, 60_000)
