import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RpcName, rpcs } from '#libs/cloud-api'
import { type ApiUnderTest, type Principal, startApi } from '../api/api-under-test.ts'
import { slowParts } from './plan.ts'
import { recordStatements, type Statement, type StatementRecorder } from './recorded-statements.ts'
import { seed } from './seed.ts'

/** Tables of more rows than this must be reached by an index, and so many rows must not be sorted for an answer. */
const limits = { rows: 1_000 }

let api: ApiUnderTest
/** Who asks decides what the store's filter looks like. */
const callers: Record<'owner' | 'developer', Principal | undefined> = { owner: undefined, developer: undefined }
let asApi: Client
let recorder: StatementRecorder
const rowsOf = new Map<string, number>()

beforeAll(async () => {
  recorder = recordStatements()
  api = await startApi()
  callers.owner = await api.newTenant('aaaaa')
  callers.developer = await api.newUser('aaaaa', 'developer')
  await seed(api.admin, 'aaaaa', callers.developer.id)
  const { rows } = await api.admin.query<{ name: string; rows: number }>(
    "select relname as name, reltuples::int as rows from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace",
  )
  for (const { name, rows: count } of rows) rowsOf.set(name, count)
  asApi = new Client({ connectionString: api.roleUrl('aqueduct_api') })
  await asApi.connect()
  await asApi.query("select set_config('aqueduct.tenant_id', 'aaaaa', false)")
}, 120_000)
afterAll(async () => {
  recorder.stop()
  await asApi.end()
  await api.close()
})

/** A request for each read, with every filter that it has; `page_token` is tried by a second page of two. */
function requestOf(rpc: (typeof rpcs)[number], filters: boolean): Record<string, unknown> {
  const all: Record<string, unknown> = {}
  for (const { name, type, repeated } of rpc.requestType.fieldsArray) {
    if (repeated || name === 'pageToken') continue
    if (name === 'pageSize') all[name] = 2
    else if (type === 'string' && (filters || isIdOf(rpc, name))) all[name] = sample(name)
  }
  return all
}

/** Of the noun itself, as opposed to a filter. */
function isIdOf(rpc: (typeof rpcs)[number], field: string): boolean {
  return rpc.path.includes(`{${field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}}`)
}

function sample(field: string): string {
  const known: Readonly<Record<string, string>> = {
    namespace: 'ns-7.aaaaa',
    targetNamespaceId: 'ns-7.aaaaa',
    name: 'ns-7',
    userId: 'usr-aaaaa-7',
    groupId: 'grp-aaaaa-7',
    serviceAccountId: 'sa-aaaaa-7',
    keyId: 'key-aaaaa-7',
    ownerId: 'usr-aaaaa-7',
    asyncOperationId: 'op-aaaaa-7',
    email: 'user-7@example.com',
    displayName: 'group-7',
    region: 'aws-us-east-1',
  }
  return known[field] ?? 'nothing'
}

const reads = rpcs.filter((rpc) => rpc.kind === 'read' && rpc.verb === 'GET')

async function statementsOf(caller: keyof typeof callers, rpc: (typeof rpcs)[number]): Promise<readonly Statement[]> {
  const token = callers[caller]?.token ?? ''
  const call = (request: object) => api.grpc(token, rpc.name as RpcName, request).catch(() => undefined)
  return recorder.during(async () => {
    const first = await call(requestOf(rpc, false))
    const next = (first as { nextPageToken?: string } | undefined)?.nextPageToken
    if (next !== undefined && next !== '') await call({ ...requestOf(rpc, false), pageToken: next })
    if (rpc.paged) await call(requestOf(rpc, true))
  })
}

describe.each(reads.map((rpc) => [rpc.name, rpc] as const))('%s', (_name, rpc) => {
  test.each(['owner', 'developer'] as const)('reads no whole table for the %s, and sorts none', async (caller) => {
    const found: string[] = []
    const statements = (await statementsOf(caller, rpc)).filter(({ text }) => /^\s*(select|with)\b/i.test(text))
    // At least who calls is looked up.
    expect(statements.length).toBeGreaterThan(0)
    for (const statement of statements.filter(({ text }) => !text.includes('set_config'))) {
      const slow = await slowParts(asApi, statement, rowsOf, limits)
      found.push(...slow.map((what) => `${what}: ${statement.text}`))
    }
    expect(found).toEqual([])
  })
})

test('a query without an index is found', async () => {
  const statement = { text: 'select * from api_keys where display_name = $1 order by description', values: ['x'] }
  expect(await slowParts(asApi, statement, rowsOf, limits)).toContain('reads all of api_keys')
})
