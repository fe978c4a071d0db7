import { status } from '@grpc/grpc-js'
import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RpcName } from '#libs/cloud-api'
import { until } from '../../harness/until.ts'
import { type ApiUnderTest, type Principal, startApi } from './api-under-test.ts'
import { MutableTenant, servedMutations, validMutations } from './valid-mutations.ts'

let api: ApiUnderTest
let tenant: MutableTenant
let reader: Principal
let stranger: Principal

beforeAll(async () => {
  api = await startApi()
  tenant = new MutableTenant(api, 'aaaaa', await api.newTenant('aaaaa'))
  reader = await api.newUser('aaaaa', 'read')
  stranger = await api.newTenant('bbbbb')
})
afterAll(() => api.close())

const dry = { 'x-aqueduct-dry-run': 'true' }

/**
 * A hash of every table, the queue's too; of the rows, not of where they lie. Refusals go into the audit log all the
 * same, some time after: of that log only what says that something was done is looked at.
 */
async function dump(client: Client): Promise<Record<string, string>> {
  const { rows: tables } = await client.query<{ name: string }>(`
    select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and n.nspname in ('public', 'graphile_worker')
      and c.relname not in ('audit_entries', 'audit_chains') order by 1`)
  const hashes: [string, string][] = []
  for (const { name } of tables) {
    const sql = `select coalesce(md5(string_agg(t::text, e'\\n' order by t::text)), '') as hash from ${name} t`
    hashes.push([name, (await client.query<{ hash: string }>(sql)).rows[0]?.hash ?? ''])
  }
  const { rows } = await client.query<{ count: number }>("select count(*) from audit_entries where outcome = 'OK'")
  return { ...Object.fromEntries(hashes), audited: String(rows[0]?.count) }
}

/** What the call came to, which must have left the database as it was. */
async function unchanged<Result>(work: () => Promise<Result>): Promise<Result> {
  const before = await dump(api.admin)
  const result = await work()
  expect(await dump(api.admin)).toEqual(before)
  return result
}

const outcome = (call: Promise<unknown>) =>
  call.then(
    (answer) => ({ answer }),
    ({ code, details }) => ({ code, details }),
  )

/** An answer without what is new each time, or is a dry run's to leave out. */
function comparable(answer: unknown): unknown {
  const text = JSON.stringify(answer, (key, value) => (key === 'token' ? undefined : value))
  return text
    .replace(/\b(usr|sa|key|grp|role|nexus|rule)-[0-9a-z]+/g, '$1-*')
    .replace(/"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"/g, '"*"')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '*')
}

const row = (rpc: RpcName) => {
  const make = validMutations[rpc]
  if (make === undefined) throw new Error(`${rpc} has no row in valid-mutations.ts: add a request that is in order`)
  return make(tenant)
}

describe.each(servedMutations.map((rpc) => ({ rpc })))('a dry run of $rpc', ({ rpc }) => {
  test('writes nothing, and answers as the real one then does, under the same operation id', async () => {
    const request = { ...(await row(rpc)), asyncOperationId: `real-${rpc}` }
    const tried = await unchanged(() => tenant.call(rpc, request, dry))
    expect(tried.token ?? '').toBe('')
    expect(tried.asyncOperation).toMatchObject({ id: `real-${rpc}`, operationType: rpc })
    const again = await unchanged(() => tenant.call(rpc, request, dry))
    expect(comparable(again)).toEqual(comparable(tried))
    const real = await tenant.done(rpc, request)
    expect(comparable(tried)).toEqual(comparable(real))
  })

  test('is refused as the real one is', async () => {
    const request = await row(rpc)
    const stale = 'resourceVersion' in request ? [{ ...request, resourceVersion: '999999' }] : []
    for (const [wrong, token] of [
      ...[{}, ...stale].map((each) => [each, tenant.owner.token] as const),
      ...[reader, stranger].map((who) => [request, who.token] as const),
    ]) {
      const tried = await unchanged(() => outcome(tenant.call(rpc, wrong, dry, token)))
      if ('answer' in tried) continue
      expect(await unchanged(() => outcome(tenant.call(rpc, wrong, {}, token)))).toEqual(tried)
    }
    const after = await outcome(tenant.call(rpc, {}, dry))
    expect('answer' in after ? 'OK' : after.code).not.toBe('OK')
  })
})

describe('the header', () => {
  const create = (value: string, name: string) =>
    api.rest(
      tenant.owner.token,
      'POST',
      '/cloud/namespaces',
      { spec: { name, regions: ['aws-us-east-1'], retentionDays: 1, apiKeyAuth: { enabled: true } } },
      { 'x-aqueduct-dry-run': value },
    )

  test('works over REST, too', async () => {
    const tried = await unchanged(() => create('true', 'over-rest'))
    expect(tried).toMatchObject({
      status: 200,
      body: { namespace: 'over-rest.aaaaa', asyncOperation: { state: 'STATE_PENDING' } },
    })
    const { asyncOperation } = tried.body
    expect((await api.rest(tenant.owner.token, 'GET', `/cloud/operations/${asyncOperation.id}`)).status).toBe(404)
    expect((await create('false', 'over-rest')).status).toBe(200)
    expect((await create('true', 'over-rest')).body.code).toBe(status.ALREADY_EXISTS)
  })

  test.each(['yes', 'TRUE', '1', ''])(
    'with the value %j is an error: nobody must believe that nothing was written',
    async (value) => {
      const answer = await unchanged(() => create(value, 'misspelt'))
      expect(answer).toMatchObject({ status: 400, body: { message: expect.stringContaining('x-aqueduct-dry-run') } })
    },
  )

  test('changes nothing about a read', async () => {
    const read = (headers = {}) => api.rest(tenant.owner.token, 'GET', '/cloud/users', undefined, headers)
    expect((await unchanged(() => read(dry))).body).toEqual((await read()).body)
  })

  test('sends no mail', async () => {
    const invite = (email: string, headers = {}) =>
      tenant.call('CreateUser', { spec: { email, access: { accountAccess: { role: 'ROLE_READ' } } } }, headers)
    await invite('dry@example.test', dry)
    await invite('wet@example.test')
    const to = (email: string) => api.mails.some((mail) => mail.to === email)
    await until('the real one is out', () => to('wet@example.test'))
    expect(to('dry@example.test')).toBe(false)
  })
})
