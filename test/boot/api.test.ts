import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { get } from 'node:https'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { runMigrations } from 'graphile-worker'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openAuthority, openSigningKey } from '#libs/keyring'
import { sealer } from '#libs/sealing'
import { Database } from '#libs/store'
import { testMasterKey } from '../harness/master-key.ts'
import { createTestDatabase, type TestDatabase } from '../harness/postgres.ts'

let testDatabase: TestDatabase
let serverCaPem: string

beforeAll(async () => {
  testDatabase = await createTestDatabase()
  await runMigrations({ connectionString: testDatabase.roleUrl('aqueduct_provisioner') })
  const database = new Database({ url: testDatabase.adminUrl, poolSize: 1, applicationName: 'test' })
  const box = sealer(Buffer.from(testMasterKey))
  serverCaPem = (await openAuthority(database.all, box, { purpose: 'server' })).certificatePem
  await openAuthority(database.all, box, { purpose: 'operator' })
  await openSigningKey(database.all, box, { purpose: 'api_key' })
  await database.close()
})
afterAll(() => testDatabase.drop())

function start(more: Readonly<Record<string, string>>): ChildProcess {
  return spawn(process.execPath, [fileURLToPath(new URL('../../apps/api/main.ts', import.meta.url))], {
    env: {
      AQUEDUCT_DATABASE_URL: testDatabase.adminUrl,
      AQUEDUCT_MASTER_KEY: Buffer.from(testMasterKey).toString('base64'),
      AQUEDUCT_REGIONS: '[{"id":"aws-us-east-1","driver":"fake"}]',
      AQUEDUCT_HTTP_PORT: '0',
      AQUEDUCT_HTTPS_PORT: '0',
      AQUEDUCT_GRPC_PORT: '0',
      AQUEDUCT_GRPC_TLS_PORT: '0',
      AQUEDUCT_OPERATOR_PORT: '0',
      ...more,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

interface ReadyLine {
  readonly http: number
  readonly https: number
}

async function readyLine(child: ChildProcess): Promise<ReadyLine> {
  if (child.stdout === null || child.stderr === null) throw new Error('no output to read')
  const complaints: string[] = []
  child.stderr.on('data', (chunk: Buffer) => complaints.push(chunk.toString()))
  for await (const line of createInterface({ input: child.stdout })) {
    const parsed = JSON.parse(line)
    if (parsed.msg === 'ready') return parsed
  }
  throw new Error(`it ended before it was ready: ${complaints.join('')}`)
}

test('serves on both public listeners, and ends on SIGTERM', { timeout: 60_000 }, async () => {
  const child = start({})
  const { http, https } = await readyLine(child)
  const base = `http://127.0.0.1:${http}`
  expect(await (await fetch(`${base}/readyz`)).json()).toEqual({ status: 'ok' })
  expect(await (await fetch(`${base}/metrics`)).text()).toContain('aqueduct_api_call_seconds')
  expect((await fetch(`${base}/docs`)).status).toBe(200)
  const document = (await (await fetch(`${base}/openapi.json`)).json()) as { readonly paths: object }
  expect(Object.keys(document.paths)).toContain('/cloud/namespaces')
  const refused = await fetch(`${base}/cloud/account`)
  expect(await refused.json()).toMatchObject({ code: 16, message: 'Jwt is missing' })
  expect(await statusOverTls(https, '/readyz')).toBe(200)
  // Strangers reach this one.
  expect(await statusOverTls(https, '/metrics')).toBe(404)
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  expect(await ended).toEqual([0, null])
})

test('says every setting that is wrong, and does not start', { timeout: 60_000 }, async () => {
  const child = start({ AQUEDUCT_HTTP_PORT: 'many', AQUEDUCT_REGIONS: '' })
  await expect(readyLine(child)).rejects.toThrow(/AQUEDUCT_REGIONS must be set[^]*AQUEDUCT_HTTP_PORT must be/)
})

function statusOverTls(port: number, path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, ca: serverCaPem, agent: false }, (response) => {
      response.resume()
      resolve(response.statusCode)
    }).on('error', reject)
  })
}
