import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findLeaks } from '../../harness/leaks.ts'
import { type CloudRequest, filled, onBoth } from '../both-transports.ts'
import type { Mutated } from '../cloud-api.ts'
import { cloudMethod, cloudMethods } from '../contract.ts'
import { code } from '../edge.ts'
import type { Json } from '../http.ts'
import { createNamespace, type Namespace, namespaceSpec } from '../namespace.ts'
import { productCondition, productUnderTest } from '../product-under-test.ts'
import { createKey, createServiceAccount, signUp, type Tenant } from '../tenant.ts'
import { endpointSpec, type Ids, lists, requestsWithIds, roleSpec, withoutIds } from './requests-with-ids.ts'

let victim: Tenant
let attacker: Tenant
let target: Namespace
let theirs: Ids
/** Of the attacker: what requests may name beside the foreign id. */
let own: Ids
let before: readonly Json[]

beforeAll(async () => {
  victim = await signUp('Owner')
  attacker = await signUp('Curious')
  target = await createNamespace(victim, { name: 'crown-jewels' })
  theirs = await idsOf(victim, target)
  own = await idsOf(attacker, await createNamespace(attacker, { name: 'pebbles' }))
  before = await everythingOf(victim)
})

afterAll(async () => {
  expect(await everythingOf(victim), 'the victim has everything as it was').toEqual(before)
  const { alive, output } = await productCondition()
  const { dataDirectory } = await productUnderTest()
  expect(alive).toBe(true)
  expect(findLeaks(dataDirectory, output)).toEqual([])
})

async function idsOf(tenant: Tenant, namespace: Namespace): Promise<Ids> {
  const account = await createServiceAccount(tenant, 'robot', { [namespace.id]: 'WRITE' })
  const key = await createKey(tenant, account)
  const spec = namespaceSpec({ name: 'second' })
  const made = await tenant.api.post<Mutated>('/cloud/namespaces', { spec })
  await tenant.api.fulfilled(made)
  const { serviceAccountId } = account
  const operationId = made.asyncOperation.id
  const group = await tenant.api.post<{ groupId: string }>('/cloud/user-groups', {
    spec: { displayName: 'friends', cloudGroup: {} },
  })
  return {
    namespace: namespace.id,
    userId: tenant.userId,
    serviceAccountId,
    keyId: key.id,
    operationId,
    groupId: group.groupId,
    ...(await newerIdsOf(tenant, namespace)),
  }
}

async function newerIdsOf(
  { api }: Tenant,
  { id: namespace }: Namespace,
): Promise<Pick<Ids, 'roleId' | 'ruleId' | 'endpointId'>> {
  const { roleId } = await api.post<{ roleId: string }>('/cloud/custom-roles', { spec: roleSpec('readers', namespace) })
  const rule = await api.post<{ connectivityRuleId: string }>('/cloud/connectivity-rules', {
    spec: { privateRule: { connectionId: 'vpce-own', region: 'aws-us-east-1' } },
  })
  const endpoint = await api.post<Mutated & { endpointId: string }>('/cloud/nexus/endpoints', {
    spec: endpointSpec('payments', namespace, namespace),
  })
  await api.fulfilled(endpoint)
  return { roleId, ruleId: rule.connectivityRuleId, endpointId: endpoint.endpointId }
}

async function everythingOf({ api }: Tenant): Promise<readonly Json[]> {
  const paths = [
    'namespaces',
    'service-accounts',
    'api-keys',
    'account',
    'users',
    'user-groups',
    'custom-roles',
    'connectivity-rules',
    'nexus/endpoints',
    `user-groups/${theirs.groupId}/members`,
    `operations/${theirs.operationId}`,
  ]
  return Promise.all(paths.map((path) => api.get(`/cloud/${path}`)))
}

/** An id of the same form and length that nobody has. */
function nobodys(id: string): string {
  if (/^[0-9a-f-]{36}$/.test(id)) return randomUUID()
  const digit = id.at(-1) === 'z' ? 'y' : 'z'
  // Namespaces end in the tenant's id: another namespace of the same tenant, which does not exist.
  if (id.includes('.')) return id.replace(/^./, digit)
  return `${id.slice(0, -4)}${digit.repeat(4)}`
}

describe('another tenant’s ids say no more than ids that do not exist', () => {
  test.each(Object.keys(requestsWithIds))('%s', async (name) => {
    const method = cloudMethod(name)
    const nobody = Object.fromEntries(Object.entries(theirs).map(([key, id]) => [key, nobodys(id)])) as unknown as Ids
    const foreign = requestsWithIds[name]?.(theirs, own) ?? []
    const missing = requestsWithIds[name]?.(nobody, own) ?? []
    expect(foreign.length).toBeGreaterThan(0)
    for (const [index, [id, request]] of foreign.entries()) {
      const [missingId, missingRequest] = missing[index] ?? ['', {}]
      expect(missingId).not.toBe(id)
      const seen = hidden(await onBoth(attacker.api.token, method, request), id)
      const unseen = hidden(await onBoth(attacker.api.token, method, missingRequest), missingId)
      expect(seen).toEqual(unseen)
      if (lists.includes(name)) {
        expect(seen.grpc).toMatchObject({ code: code.ok, everything: expect.stringContaining('"message":""') })
        continue
      }
      expect(seen.grpc.code).toBe(seen.rest.code)
      // A wrong field is INVALID_ARGUMENT; keys of other people are nobody's to make, whether there are such people or not.
      expect(seen.grpc.everything).toMatch(/not found|there is no|you may not/)
      expect([code.notFound, code.invalid, code.denied]).toContain(seen.grpc.code)
    }
  })

  test('every other method answers that it is not there, whatever it is asked', async () => {
    const served = [...Object.keys(requestsWithIds), ...withoutIds]
    const others = cloudMethods.filter(({ name }) => !served.includes(name))
    for (const method of others) {
      const answers = [theirs, own].map(async ({ namespace, userId, serviceAccountId }) => {
        const ids: CloudRequest = { namespace, userId, serviceAccountId }
        const fitting = Object.entries(ids).filter(([field]) => method.requestType.fields[field]?.type === 'string')
        const { rest, grpc } = await onBoth(attacker.api.token, method, {
          ...filled(method.path, 'anything'),
          ...Object.fromEntries(fitting),
        })
        return { rest: [rest.status, rest.code], grpc: grpc.code }
      })
      for (const answer of await Promise.all(answers)) {
        expect(answer, method.name).toEqual({ rest: [501, code.unimplemented], grpc: code.unimplemented })
      }
    }
    expect(others.length + served.length).toBe(cloudMethods.length)
  })

  test('an operation id of another tenant is free for one’s own', async () => {
    const spec = namespaceSpec({ name: 'same-operation' })
    const made = await attacker.api.post('/cloud/namespaces', { spec, asyncOperationId: theirs.operationId })
    expect(made).toMatchObject({
      namespace: `same-operation.${attacker.id}`,
      asyncOperation: { id: theirs.operationId },
    })
    await attacker.api.fulfilled(made)
  })

  test('paging tokens of another tenant, of another list, and such as are none', async () => {
    const page = async ({ api }: Tenant, path: string, size: number, token = '') =>
      api.answer(
        'GET',
        `/cloud/${path}?page_size=${size}${token === '' ? '' : `&page_token=${encodeURIComponent(token)}`}`,
      )
    const foreign = String((await page(victim, 'namespaces', 1)).json.nextPageToken)
    const mine = String((await page(attacker, 'namespaces', 1)).json.nextPageToken)
    expect(foreign.length).toBeGreaterThan(20)
    expect((await page(attacker, 'namespaces', 1, mine)).status).toBe(200)
    const refused = [
      await page(attacker, 'namespaces', 1, foreign),
      await page(attacker, 'namespaces', 1, 'garbage'),
      await page(attacker, 'namespaces', 1, mine.slice(0, -2)),
      await page(attacker, 'service-accounts', 1, mine),
      await attacker.api.answer(
        'GET',
        `/cloud/namespaces?name=pebbles&page_size=1&page_token=${encodeURIComponent(mine)}`,
      ),
    ]
    for (const { status, json } of refused) {
      expect({ status, json }).toEqual({ status: 400, json: refused[0]?.json })
    }
    expect(refused[0]?.json).toMatchObject({ code: code.invalid, message: expect.stringContaining('page_token') })
  })
})

interface Comparable {
  readonly rest: { readonly status: number; readonly code: number | undefined; readonly everything: string }
  readonly grpc: { readonly code: number | undefined; readonly everything: string }
}

/** All that was seen, with the id struck out wherever it stands. */
function hidden({ rest, grpc }: Comparable, id: string): Comparable {
  return {
    rest: { ...rest, everything: rest.everything.replaceAll(id, '<id>') },
    grpc: { ...grpc, everything: grpc.everything.replaceAll(id, '<id>') },
  }
}
