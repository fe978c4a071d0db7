import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { until } from '../../harness/until.ts'
import { type ApiUnderTest, type Principal, startApi } from '../api/api-under-test.ts'

let api: ApiUnderTest
let url: string
let owner: Principal
/** What a tenant gives to its identity provider: the key of an admin. */
let provider: Principal
let foreign: Principal
let run = 0

beforeAll(async () => {
  api = await startApi()
  url = await api.listen()
  owner = await api.newTenant('aaaaa')
  provider = await api.newUser('aaaaa', 'admin')
  foreign = await api.newTenant('bbbbb')
})
afterAll(() => api.close())
beforeEach(() => {
  run += 1
})

interface ScimAnswer {
  readonly status: number
  readonly type: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into many shapes, and a wrong path fails the test.
  readonly body: any
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

async function scim(method: Method, path: string, body?: unknown, token = provider.token): Promise<ScimAnswer> {
  const response = await fetch(`${url}/scim/v2${path}`, {
    method,
    headers: {
      ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
      'content-type': 'application/scim+json',
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  const type = response.headers.get('content-type') ?? ''
  return { status: response.status, type, body: text === '' ? undefined : JSON.parse(text) }
}

const address = (name: string) => `${name}-${run}@example.com`

async function newUser(name: string, more: object = {}): Promise<string> {
  const { status, body } = await scim('POST', '/Users', { userName: address(name), ...more })
  expect(status, JSON.stringify(body)).toBe(201)
  return body.id
}

function patch(path: string, ...Operations: object[]): Promise<ScimAnswer> {
  const schemas = ['urn:ietf:params:scim:api:messages:2.0:PatchOp']
  return scim('PATCH', path, { schemas, Operations })
}

describe('users', () => {
  test('come in, are invited, found and read', async () => {
    const made = await scim('POST', '/Users', {
      schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'],
      userName: address('ada'),
      externalId: `ext-${run}`,
      name: { givenName: 'Ada', familyName: 'L' },
      emails: [{ value: address('ada'), primary: true }],
    })
    expect(made.status).toBe(201)
    expect(made.type).toContain('application/scim+json')
    expect(made.body).toMatchObject({ userName: address('ada'), externalId: `ext-${run}`, active: true })
    const { id } = made.body
    for (const filter of [
      `userName eq "${address('ADA').toUpperCase()}"`,
      `externalId eq "ext-${run}"`,
      `id eq "${id}"`,
    ]) {
      const { body } = await scim('GET', `/Users?filter=${encodeURIComponent(filter)}`)
      expect(body).toMatchObject({ totalResults: 1, startIndex: 1, itemsPerPage: 1, Resources: [{ id }] })
    }
    expect((await scim('GET', `/Users/${id}`)).body.userName).toBe(address('ada'))
    const { user } = (await api.rest(owner.token, 'GET', `/cloud/users/${id}`)).body
    expect(user).toMatchObject({
      state: 'RESOURCE_STATE_ACTIVE',
      spec: { email: address('ada'), access: { accountAccess: { role: 'ROLE_READ' } } },
    })
    expect(user.invitation).toBeDefined()
  })

  test('are unique by address and by external id', async () => {
    await newUser('twin', { externalId: `twin-${run}` })
    const again = await scim('POST', '/Users', { userName: address('TWIN') })
    expect(again).toMatchObject({ status: 409, body: { status: '409', scimType: 'uniqueness' } })
    const other = await scim('POST', '/Users', { userName: address('other'), externalId: `twin-${run}` })
    expect(other).toMatchObject({ status: 409, body: { scimType: 'uniqueness' } })
    // Nothing of what was refused stays.
    const filter = encodeURIComponent(`userName eq "${address('other')}"`)
    expect((await scim('GET', `/Users?filter=${filter}`)).body.totalResults).toBe(0)
  })

  test('who is deactivated gets in nowhere, and comes back with everything', async () => {
    const { id, token } = await api.newUser('aaaaa', 'developer')
    expect((await api.rest(token, 'GET', '/cloud/current-identity')).status).toBe(200)
    const off = await patch(`/Users/${id}`, { op: 'Replace', path: 'active', value: 'False' })
    expect(off).toMatchObject({ status: 200, body: { active: false } })
    expect((await api.rest(token, 'GET', '/cloud/current-identity')).status).toBe(401)
    const { user } = (await api.rest(owner.token, 'GET', `/cloud/users/${id}`)).body
    expect(user.state).toBe('RESOURCE_STATE_SUSPENDED')
    await patch(`/Users/${id}`, { op: 'replace', value: { active: true } })
    expect((await api.rest(token, 'GET', '/cloud/current-identity')).status).toBe(200)
  })

  test('are replaced and deleted', async () => {
    const id = await newUser('bob')
    const put = await scim('PUT', `/Users/${id}`, { userName: address('bob'), externalId: `b-${run}`, active: false })
    expect(put.body).toMatchObject({ externalId: `b-${run}`, active: false })
    const renamed = await scim('PUT', `/Users/${id}`, { userName: address('robert') })
    expect(renamed).toMatchObject({ status: 400, body: { scimType: 'mutability' } })
    expect((await scim('DELETE', `/Users/${id}`)).status).toBe(204)
    expect((await scim('GET', `/Users/${id}`)).status).toBe(404)
    expect((await scim('DELETE', `/Users/${id}`)).status).toBe(404)
  })

  test('are listed in parts', async () => {
    for (const name of ['p1', 'p2', 'p3']) await newUser(name)
    const first = await scim('GET', '/Users?startIndex=1&count=2')
    const second = await scim('GET', '/Users?startIndex=3&count=2')
    expect(first.body.Resources).toHaveLength(2)
    expect(second.body.startIndex).toBe(3)
    const ids = [...first.body.Resources, ...second.body.Resources].map((user: { id: string }) => user.id)
    expect(new Set(ids).size).toBe(ids.length)
    expect((await scim('GET', '/Users?count=0')).body).toMatchObject({ itemsPerPage: 0, Resources: [] })
    expect((await scim('GET', '/Users?count=x')).status).toBe(400)
  })
})

describe('groups', () => {
  test('come in with members, and give them what the group is given', async () => {
    const { id: userId, token } = await api.newUser('aaaaa', 'read')
    const made = await scim('POST', '/Groups', {
      displayName: `eng-${run}`,
      externalId: `g-${run}`,
      members: [{ value: userId }],
    })
    expect(made).toMatchObject({ status: 201, body: { displayName: `eng-${run}`, members: [{ value: userId }] } })
    const groupId = made.body.id
    const { group } = (await api.rest(owner.token, 'GET', `/cloud/user-groups/${groupId}`)).body
    expect(group.spec).toMatchObject({ displayName: `eng-${run}`, scimGroup: { idpId: `g-${run}` }, access: {} })
    // The owner gives the group the role developer, and so everybody in it may create namespaces.
    const spec = { ...group.spec, access: { accountAccess: { role: 'ROLE_DEVELOPER' } } }
    const { resourceVersion } = group
    const updated = await api.rest(owner.token, 'POST', `/cloud/user-groups/${groupId}`, { spec, resourceVersion })
    expect(updated.status, JSON.stringify(updated.body)).toBe(200)
    const create = () =>
      api.rest(token, 'POST', '/cloud/namespaces', { spec: { name: 'x' } }).then(({ body }) => body.code)
    expect(await create()).toBe(3)
    await patch(`/Groups/${groupId}`, { op: 'remove', path: `members[value eq "${userId}"]` })
    expect(await create()).toBe(7)
    await patch(`/Groups/${groupId}`, { op: 'add', path: 'members', value: [{ value: userId }] })
    expect(await create()).toBe(3)
    expect((await scim('DELETE', `/Groups/${groupId}`)).status).toBe(204)
    expect(await create()).toBe(7)
  })

  test('are renamed, filled anew, and found without their members', async () => {
    const [one, two] = [await newUser('one'), await newUser('two')]
    const { body } = await scim('POST', '/Groups', { displayName: `ops-${run}`, members: [{ value: one }] })
    await patch(`/Groups/${body.id}`, { op: 'replace', path: 'displayName', value: `sre-${run}` })
    const put = await scim('PUT', `/Groups/${body.id}`, { displayName: `sre-${run}`, members: [{ value: two }] })
    expect(put.body.members).toMatchObject([{ value: two }])
    const filter = encodeURIComponent(`displayName eq "sre-${run}"`)
    const found = await scim('GET', `/Groups?filter=${filter}&excludedAttributes=members`)
    expect(found.body).toMatchObject({ totalResults: 1 })
    expect(found.body.Resources[0].members).toBeUndefined()
    const taken = await scim('POST', '/Groups', { displayName: `sre-${run}` })
    expect(taken).toMatchObject({ status: 409, body: { scimType: 'uniqueness' } })
    const stranger = await patch(`/Groups/${body.id}`, { op: 'add', path: 'members', value: [{ value: 'usr-nobody' }] })
    expect(stranger.status).toBe(404)
  })

  test('of the Cloud Ops API are not the identity provider’s', async () => {
    const created = await api.rest(owner.token, 'POST', '/cloud/user-groups', {
      spec: { displayName: `cloud-${run}`, cloudGroup: {} },
    })
    const path = `/Groups/${created.body.groupId}`
    expect(created.body.groupId).toBeDefined()
    expect((await scim('GET', path)).status).toBe(404)
    expect((await scim('DELETE', path)).status).toBe(404)
    expect((await patch(path, { op: 'replace', path: 'displayName', value: 'mine' })).status).toBe(404)
  })
})

describe('misuse', () => {
  test('nobody but an owner or an admin gets in', async () => {
    expect((await scim('GET', '/Users', undefined, '')).status).toBe(401)
    expect((await scim('GET', '/Users', undefined, 'x.y.z')).body).toMatchObject({ status: '401' })
    for (const role of ['developer', 'read', 'finance_admin', 'metrics_read']) {
      const { token } = await api.newUser('aaaaa', role)
      expect((await scim('GET', '/Users', undefined, token)).status, role).toBe(403)
      expect((await scim('POST', '/Users', { userName: address('x') }, token)).status, role).toBe(403)
    }
    await until('the refusal is in the audit log', async () => {
      const { rows } = await api.admin.query(
        "select from audit_entries where operation = 'POST /scim/v2/Users' and outcome = 'PERMISSION_DENIED'",
      )
      return rows.length > 0
    })
  })

  test('another tenant’s users and groups are not there', async () => {
    const userId = await newUser('hidden')
    const { body: group } = await scim('POST', '/Groups', { displayName: `hidden-${run}` })
    const theirs = await scim('POST', '/Groups', { displayName: 'theirs' }, foreign.token)
    for (const path of [`/Users/${userId}`, `/Groups/${group.id}`]) {
      expect((await scim('GET', path, undefined, foreign.token)).status).toBe(404)
      expect((await scim('DELETE', path, undefined, foreign.token)).status).toBe(404)
    }
    const listed = await scim('GET', '/Users', undefined, foreign.token)
    expect(JSON.stringify(listed.body)).not.toContain(userId)
    const add = { Operations: [{ op: 'add', path: 'members', value: [{ value: userId }] }] }
    expect((await scim('PATCH', `/Groups/${theirs.body.id}`, add, foreign.token)).status).toBe(404)
  })

  test('an admin’s key touches no owner, and makes none', async () => {
    const off = { op: 'replace', path: 'active', value: false }
    expect((await patch(`/Users/${owner.id}`, off)).status).toBe(403)
    expect((await scim('DELETE', `/Users/${owner.id}`)).status).toBe(403)
    const { body } = await scim('POST', '/Groups', { displayName: `owners-${run}` })
    const { group } = (await api.rest(owner.token, 'GET', `/cloud/user-groups/${body.id}`)).body
    const spec = { ...group.spec, access: { accountAccess: { role: 'ROLE_OWNER' } } }
    const raised = { spec, resourceVersion: group.resourceVersion }
    expect((await api.rest(owner.token, 'POST', `/cloud/user-groups/${body.id}`, raised)).status).toBe(200)
    const join = { op: 'add', path: 'members', value: [{ value: provider.id }] }
    expect((await patch(`/Groups/${body.id}`, join)).status).toBe(403)
    expect((await scim('DELETE', `/Groups/${body.id}`)).status).toBe(403)
  })

  test('an admin’s key does not come to power through a group, and touches nobody who may hand out roles', async () => {
    const made = await api.rest(owner.token, 'POST', '/cloud/custom-roles', {
      spec: {
        name: `delegates-${run}`,
        permissions: [
          { resources: { resourceType: 'accounts', allowAll: true }, actions: ['cloud.customrole.*'] },
          { resources: { resourceType: 'custom-roles', allowAll: true }, actions: ['cloud.customrole.*'] },
        ],
      },
    })
    expect(made.status, JSON.stringify(made.body)).toBe(200)
    const { body } = await scim('POST', '/Groups', { displayName: `delegates-${run}` })
    const userId = await newUser('delegate')
    for (const [path, kind] of [
      [`/cloud/user-groups/${body.id}`, 'group'],
      [`/cloud/users/${userId}`, 'user'],
    ] as const) {
      const present = (await api.rest(owner.token, 'GET', path)).body[kind]
      const access = { accountAccess: { role: 'ROLE_READ', customRoles: [made.body.roleId] } }
      const { resourceVersion } = present
      const given = await api.rest(owner.token, 'POST', path, { spec: { ...present.spec, access }, resourceVersion })
      expect(given.status, JSON.stringify(given.body)).toBe(200)
    }
    const joined = [{ value: provider.id }]
    const join = { op: 'add', path: 'members', value: joined }
    expect((await patch(`/Groups/${body.id}`, join)).status).toBe(403)
    const put = await scim('PUT', `/Groups/${body.id}`, { displayName: `delegates-${run}`, members: joined })
    expect(put.status).toBe(403)
    expect((await scim('DELETE', `/Groups/${body.id}`)).status).toBe(403)
    const off = { op: 'replace', path: 'active', value: false }
    expect((await patch(`/Users/${userId}`, off)).status).toBe(403)
    expect((await scim('DELETE', `/Users/${userId}`)).status).toBe(403)
    expect((await scim('DELETE', `/Users/${userId}`, undefined, owner.token)).status).toBe(204)
    const filled = await scim(
      'PUT',
      `/Groups/${body.id}`,
      { displayName: `delegates-${run}`, members: joined },
      owner.token,
    )
    expect(filled.status).toBe(200)
  })

  test('the last owner can neither be locked out nor deleted', async () => {
    const body = { Operations: [{ op: 'replace', path: 'active', value: false }] }
    const off = await scim('PATCH', `/Users/${foreign.id}`, body, foreign.token)
    expect(off).toMatchObject({ status: 400 })
    expect((await scim('DELETE', `/Users/${foreign.id}`, undefined, foreign.token)).status).toBe(400)
  })

  test.each([
    ['not JSON', 'POST', '/Users', '{', 'invalidSyntax'],
    ['no address', 'POST', '/Users', { userName: 'ada' }, 'invalidValue'],
    ['a filter of another kind', 'GET', '/Users?filter=userName%20co%20%22a%22', undefined, 'invalidFilter'],
    ['no operations', 'PATCH', '/Users/usr-x', {}, 'invalidSyntax'],
    ['an unknown path', 'PATCH', '/Groups/grp-x', { Operations: [{ op: 'add', path: 'x' }] }, 'invalidPath'],
  ] as const)('%s is refused in SCIM’s words', async (_what, method, path, body, scimType) => {
    const answer = await scim(method, path, body)
    expect(answer.status).toBe(400)
    expect(answer.body).toMatchObject({ schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'], scimType })
  })

  test('an id that Postgres cannot hold is one that is not there', async () => {
    for (const method of ['GET', 'DELETE'] as const) {
      expect((await scim(method, '/Users/%00')).status).toBe(404)
      expect((await scim(method, '/Groups/a%00b')).status).toBe(404)
    }
  })

  test('a dry run is refused, not ignored', async () => {
    const response = await fetch(`${url}/scim/v2/Users`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${provider.token}`,
        'content-type': 'application/scim+json',
        'x-aqueduct-dry-run': 'true',
      },
      body: JSON.stringify({ userName: address('dry') }),
    })
    expect(response.status).toBe(400)
    const filter = encodeURIComponent(`userName eq "${address('dry')}"`)
    expect((await scim('GET', `/Users?filter=${filter}`)).body.totalResults).toBe(0)
  })
})

test('what this server can do is said', async () => {
  expect((await scim('GET', '/ServiceProviderConfig')).body.patch).toEqual({ supported: true })
  expect((await scim('GET', '/ResourceTypes')).body.totalResults).toBe(2)
  expect((await scim('GET', '/Schemas')).body.Resources).toHaveLength(2)
})

test('each change is in the audit log, with who made it', async () => {
  const id = await newUser('logged')
  const { rows } = await api.admin.query(
    "select principal_id, credential_id, operation, outcome from audit_entries where interface = 'scim' and target ->> 'id' = $1",
    [id],
  )
  expect(rows).toEqual([
    { principal_id: provider.id, credential_id: provider.keyId, operation: 'POST /scim/v2/Users', outcome: 'OK' },
  ])
})
