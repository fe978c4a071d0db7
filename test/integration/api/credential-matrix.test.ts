import { readFileSync, writeFileSync } from 'node:fs'
import { type ServiceError, status } from '@grpc/grpc-js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fromJson, type RpcName, type RpcRequest, rpcs } from '#libs/cloud-api'
import { type ApiUnderTest, type Principal, startApi } from './api-under-test.ts'

const golden = new URL('credential-matrix.golden.txt', import.meta.url)

let api: ApiUnderTest
/** What one account has, by the names that the fields of requests have. */
const ids: Record<string, string> = { asyncOperationId: '', region: 'aws-us-east-1', endpointId: 'nexus-none' }

/** Columns of the matrix: whose credentials, and what became of them. */
const states: { readonly name: string; readonly token: () => string; readonly lateByMs?: number }[] = []

beforeAll(async () => {
  api = await startApi()
  const owner = await api.newTenant('aaaaa')
  const person = (role: string) => api.newUser('aaaaa', role)
  const [limited, expired, outdated, revoked, disabled, leaver] = [
    await person('none'),
    await person('owner'),
    await person('owner'),
    await person('owner'),
    await person('owner'),
    await person('owner'),
  ]
  const other = await api.newTenant('bbbbb')
  const suspended = await api.newTenant('ccccc')
  const sql = (text: string, ...values: string[]) => api.admin.query(text, values)
  await sql("update api_keys set expires_at = now() - interval '1 minute' where id = $1", outdated.keyId)
  await sql('update api_keys set deleted_at = now() where id = $1', revoked.keyId)
  await sql('update api_keys set disabled = true where id = $1', disabled.keyId)
  await sql('update users set deleted_at = now() where id = $1', leaver.id)
  await sql("update tenants set state = 'suspended' where id = 'ccccc'")
  const use = (name: string, { token }: Pick<Principal, 'token'>, lateByMs = 0) =>
    states.push({ name, token: () => token, lateByMs })
  use('own', owner)
  use('limited', limited)
  use('other', other)
  use('none', { token: '' })
  use('forged', { token: `${owner.token.slice(0, -4)}AAAA` })
  use('expired', expired, 2 * 3_600_000)
  use('outdated', outdated)
  use('revoked', revoked)
  use('disabled', disabled)
  use('leaver', leaver)
  use('suspended', suspended)
  await fill(owner)
})
afterAll(() => api.close())

async function fill(owner: Principal): Promise<void> {
  const make = async (url: string, spec: object) => {
    const { status: code, body } = await api.rest(owner.token, 'POST', url, { spec })
    expect(code).toBe(200)
    return body
  }
  const namespace = { name: 'payments', regions: ['aws-us-east-1'], retentionDays: 1, apiKeyAuth: { enabled: true } }
  const created = await make('/cloud/namespaces', namespace)
  ids.namespace = created.namespace
  ids.ofOperation = created.asyncOperation.id
  ids.serviceAccountId = (await make('/cloud/service-accounts', { name: 'robot', access: readOnly })).serviceAccountId
  ids.groupId = (await make('/cloud/user-groups', { displayName: 'team', cloudGroup: {}, access: readOnly })).groupId
  ids.userId = (await make('/cloud/users', { email: 'grace@example.test', access: readOnly })).userId
  ids.roleId = (await make('/cloud/custom-roles', { name: 'role', permissions: [permission] })).roleId
  ids.connectivityRuleId = (await make('/cloud/connectivity-rules', { publicRule: {} })).connectivityRuleId
  ids.keyId = owner.keyId
}

const readOnly = { accountAccess: { role: 'ROLE_READ' } }
const permission = { resources: { resourceType: 'accounts', allowAll: true }, actions: ['cloud.account.get'] }
/** Where a method looks into its spec before it looks for the thing: one that is right. */
const bodies: Readonly<Partial<Record<RpcName, object>>> = {
  UpdateUser: { spec: { email: 'grace@example.test', access: readOnly } },
  UpdateUserGroup: { spec: { displayName: 'team', cloudGroup: {}, access: readOnly } },
  AddUserGroupMember: { memberId: { userId: 'usr-nobody' } },
  RemoveUserGroupMember: { memberId: { userId: 'usr-nobody' } },
  UpdateServiceAccount: { spec: { name: 'robot', access: readOnly } },
  UpdateCustomRole: { spec: { name: 'role', permissions: [permission] } },
}

/** About the first account's things, and with a version that none of them has: nothing is ever changed. */
function requestOf({ name: rpc, requestType }: (typeof rpcs)[number]): RpcRequest<RpcName> {
  const values: Record<string, string> = { ...ids, resourceVersion: '999' }
  if (rpc === 'GetAsyncOperation') values.asyncOperationId = ids.ofOperation ?? ''
  const named = requestType.fieldsArray.flatMap(({ name, type, repeated }) =>
    type === 'string' && !repeated && values[name] !== undefined ? [[name, values[name]]] : [],
  )
  return fromJson(requestType, { ...Object.fromEntries(named), ...bodies[rpc] }) as RpcRequest<RpcName>
}

interface Answer {
  readonly code: string
  readonly message: string
}

async function ask(name: RpcName, request: RpcRequest<RpcName>, token: string): Promise<Answer> {
  try {
    await api.grpc(token, name, request)
    return { code: 'OK', message: '' }
  } catch (thrown) {
    const { code, details } = thrown as ServiceError
    return { code: status[code], message: details }
  }
}

const line = (first: string, cells: readonly string[]) =>
  [first.padEnd(39), ...cells.map((text) => text.padEnd(21))].join('').trimEnd()

test('every method answers every kind of credentials as was agreed to', { timeout: 120_000 }, async () => {
  const answers = new Map<string, Map<string, Answer>>(states.map(({ name }) => [name, new Map()]))
  for (const { name, token, lateByMs = 0 } of states) {
    api.clock.aheadMs = lateByMs
    for (const rpc of rpcs) answers.get(name)?.set(rpc.name, await ask(rpc.name, requestOf(rpc), token()))
  }
  api.clock.aheadMs = 0

  // Whoever is not let in hears the same from every method, those included that are not there yet.
  for (const name of ['none', 'forged', 'expired', 'outdated', 'revoked', 'disabled', 'leaver', 'suspended']) {
    const said = new Set([...(answers.get(name)?.values() ?? [])].map(({ code, message }) => `${code} ${message}`))
    expect([...said], name).toHaveLength(1)
  }
  const columns = states.map(({ name }) => name)
  const table = [
    legend,
    line('', columns),
    ...rpcs.map((rpc) =>
      line(
        rpc.name,
        columns.map((name) => answers.get(name)?.get(rpc.name)?.code ?? ''),
      ),
    ),
    '',
  ].join('\n')
  if (process.env.UPDATE_GOLDENS === '1') writeFileSync(golden, table)
  expect(table).toBe(readFileSync(golden, 'utf8'))
})

const legend = `# What every method of the contract answers to every kind of credentials, through the real authenticator, over gRPC. Made by
# credential-matrix.test.ts; rewritten only with UPDATE_GOLDENS=1. Every request is about the things of one account, and carries a
# resource version that none of them has: so OK, FAILED_PRECONDITION and INVALID_ARGUMENT mean that the caller was let in.
# own: an owner of that account · limited: a user of it with the role none · other: an owner of another account, who is told
# NOT_FOUND of what is not theirs, and let in to what is about the own account alone · none: no credentials · forged: a
# broken signature · expired: the token has · outdated: the key has, in its row · revoked: deleted key · disabled: disabled key
# · leaver: the key of a deleted user · suspended: an owner of a suspended account
`
