import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RpcName, rpcNamed, rpcs } from '#libs/cloud-api'
import { createCloudHandlers } from '../../../apps/api/resources/cloud-handlers.ts'
import { type ApiUnderTest, startApi } from './api-under-test.ts'
import type { Make, Row } from './case-rows.ts'
import { caseTable } from './case-table.ts'
import { type Outcome, overGrpc, overRest } from './on-both.ts'
import { MutableTenant } from './valid-mutations.ts'

/** Each method × each case × both transports: what they answer, and that they answer alike. */
let api: ApiUnderTest
let tenant: MutableTenant
let stranger: MutableTenant

beforeAll(async () => {
  api = await startApi()
  const limits = { operationsInFlight: 100_000, connectivityRules: 100_000, namespaces: 100_000 }
  tenant = new MutableTenant(api, 'aaaaa', await api.newTenant('aaaaa', limits))
  stranger = new MutableTenant(api, 'bbbbb', await api.newTenant('bbbbb', limits))
})
afterAll(() => api.close())

const handlers = createCloudHandlers({ regions: [] } as unknown as Parameters<typeof createCloudHandlers>[0])
const served = rpcs.filter(({ name }) => handlers[name] !== undefined).map(({ name }) => name)
const rows = served.flatMap((rpc) => {
  const row = caseTable[rpc]
  return row === undefined ? [] : [{ rpc, row }]
})
const isMutation = (rpc: RpcName) => rpcNamed(rpc).kind === 'mutation'

const grpc = (rpc: RpcName, request: object, of = tenant) => overGrpc(api, of.owner.token, rpc, request)
const rest = (rpc: RpcName, request: object, of = tenant) => overRest(api, of.owner.token, rpc, request)

/** One request that changes nothing, on both transports: the same to the letter. */
async function alike(rpc: RpcName, request: object): Promise<Outcome> {
  const outcome = await grpc(rpc, request)
  expect(withoutSeals(await rest(rpc, request)), 'REST answers as gRPC does').toEqual(withoutSeals(outcome))
  return outcome
}

/** Paging tokens and the tokens of keys are sealed or signed anew each time: they say the same, in other bytes. */
function withoutSeals(outcome: Outcome): unknown {
  const sealed = ['token', 'nextPageToken']
  return JSON.parse(JSON.stringify(outcome, (key, value) => (sealed.includes(key) ? typeof value : value)))
}

/** Two answers about two things that were made alike. */
function comparable(answer: unknown): unknown {
  return JSON.stringify(answer, (key, value) => (key === 'token' ? typeof value : value))
    .replace(/\b(usr|sa|key|grp|role|nexus|rule|log)-[0-9a-z]+/g, '$1-*')
    .replace(/"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"/g, '"*"')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '*')
    .replace(/\bn\d+\b/g, 'n*')
    .replace(/"resourceVersion":"\d+"/g, '"resourceVersion":"*"')
}

/** An id of the same form that nobody has. */
function nobodys(id: string): string {
  const end = id.endsWith('z') ? 'y' : 'z'
  if (id.includes('.')) return id.replace(/^[^.]*/, 'nobody')
  return /^[0-9a-f-]{36}$/.test(id) ? `${id.slice(0, -4)}ffff` : `${id.slice(0, -4)}${end.repeat(4)}`
}

/** The one list of an answer. */
function entriesOf(rpc: RpcName, body: unknown): readonly unknown[] {
  const field = rpcNamed(rpc).responseType.fieldsArray.find(({ repeated }) => repeated)
  return ((body as Readonly<Record<string, readonly unknown[] | undefined>>)[field?.name ?? ''] ??
    []) as readonly unknown[]
}

test('every method that is served has a row, and no other', () => {
  expect(Object.keys(caseTable).toSorted()).toEqual([...served].toSorted())
})

test.each(rows)('$rpc: no row leaves out a case that the contract has', ({ rpc, row }) => {
  const { paged, path, requestType } = rpcNamed(rpc)
  expect(typeof row.paged !== 'string', 'paged').toBe(paged)
  expect(row.repeated === true, 'repeated').toBe(isMutation(rpc))
  const named = typeof row.ids === 'string' ? [] : Object.keys(row.ids)
  const variables = Array.from(path.matchAll(/\{([^}]+)\}/g), ([, name = '']) =>
    name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
  )
  expect(named, 'ids').toEqual(expect.arrayContaining(variables))
  const hasVersion = 'resourceVersion' in requestType.fields
  expect(typeof row.conflicting !== 'string' && 'stale' in row.conflicting, 'stale').toBe(hasVersion)
  for (const why of Object.values(row)) if (typeof why === 'string') expect(why.length).toBeGreaterThan(5)
})

describe.each(rows)('$rpc', ({ rpc, row }) => {
  test('right', async () => {
    if (isMutation(rpc)) return mutationIsRight(rpc, row)
    const request = await row.right(tenant)
    const { code, body } = await alike(rpc, request)
    expect(code).toBe(status.OK)
    expect(Object.keys(body as object).length, 'something is answered').toBeGreaterThan(0)
    if (!rpcNamed(rpc).paged) for (const id of Object.values(request)) expect(JSON.stringify(body)).toContain(id)
  })

  if (typeof row.ids !== 'string') {
    test.each(Object.entries(row.ids))('missing and foreign: %s', async (_what, { of, request, code }) => {
      const theirs = await of(stranger)
      const foreign = await alike(rpc, await request(tenant, theirs))
      expect(foreign.code, foreign.message).toBe(code)
      if (code === status.OK) expect(entriesOf(rpc, foreign.body)).toEqual([])
      const missing = await alike(rpc, await request(tenant, nobodys(theirs)))
      expect(told(missing, nobodys(theirs)), 'a foreign id tells nothing').toEqual(told(foreign, theirs))
      if (code !== status.OK && !isMutation(rpc) && rpc !== 'GetRegion') {
        expect((await grpc(rpc, await request(stranger, theirs), stranger)).code, 'its own tenant has it').toBe(
          status.OK,
        )
      }
    })
  }

  if (typeof row.conflicting !== 'string') {
    test.each(Object.entries(row.conflicting))('conflicting: %s', async (_what, { request, code }) => {
      const outcome = await alike(rpc, await request(tenant))
      expect(outcome).toMatchObject({ code, message: expect.stringMatching(/./) })
    })
  }

  if (row.repeated === true) {
    test('repeated, on the other transport', async () => {
      for (const [first, second] of [
        [grpc, rest],
        [rest, grpc],
      ] as const) {
        const request = { ...(await row.right(tenant)), asyncOperationId: `${rpc}-${tenant.name()}` }
        const done = await first(rpc, request)
        expect(done).toMatchObject({ code: status.OK, body: { asyncOperation: { id: request.asyncOperationId } } })
        expect(withoutSeals(await second(rpc, request))).toEqual(withoutSeals(done))
        const other = { ...(await row.right(tenant)), asyncOperationId: request.asyncOperationId }
        expect((await alike(rpc, other)).code, 'another request under the same id').toBe(status.ALREADY_EXISTS)
      }
    })
  }

  if (typeof row.noOp !== 'string') {
    const make: Make = row.noOp
    test('without effect', async () => {
      expect(await alike(rpc, await make(tenant))).toMatchObject({
        code: status.INVALID_ARGUMENT,
        message: expect.stringContaining('nothing to change'),
        fields: [{ description: 'nothing to change' }],
      })
    })
  }

  if (typeof row.paged !== 'string') {
    const make: Make = row.paged
    test('in pages', async () => {
      const request = await make(tenant)
      const whole = await alike(rpc, { ...request, pageSize: 1_000 })
      const entries = entriesOf(rpc, whole.body)
      expect(entries.length).toBeGreaterThanOrEqual(2)
      const pageSize = Math.max(1, Math.floor(entries.length / 3))
      const found: unknown[] = []
      let pageToken = ''
      // A page from one transport, the next one from the other: a token is good on both.
      for (let turn = 0; turn === 0 || pageToken !== ''; turn += 1) {
        const call = turn % 2 === 0 ? grpc : rest
        const { code, body } = await call(rpc, { ...request, pageSize, pageToken })
        expect(code).toBe(status.OK)
        const page = entriesOf(rpc, body)
        expect(page.length).toBeLessThanOrEqual(pageSize)
        found.push(...page)
        pageToken = (body as { nextPageToken?: string }).nextPageToken ?? ''
      }
      expect(found).toEqual(entries)
      for (const wrong of [{ pageSize: -1 }, { pageSize: 1_001 }, { pageToken: 'garbage' }]) {
        expect((await alike(rpc, { ...request, ...wrong })).code).toBe(status.INVALID_ARGUMENT)
      }
    })
  }
})

/** A mutation is done twice on two things that were made alike, once on each transport. */
async function mutationIsRight(rpc: RpcName, row: Row): Promise<void> {
  const overOne = await grpc(rpc, await row.right(tenant))
  const overOther = await rest(rpc, await row.right(tenant))
  expect(overOne).toMatchObject({ code: status.OK, body: { asyncOperation: { operationType: rpc } } })
  expect(comparable(overOther)).toEqual(comparable(overOne))
}

/** All that a caller is told, with the id struck out wherever it stands. */
function told(outcome: Outcome, id: string): string {
  return JSON.stringify(outcome).replaceAll(id, '<id>')
}
