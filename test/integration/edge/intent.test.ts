import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { authorize, type UserClaims } from '#libs/authz'
import { openSigningKey } from '#libs/keyring'
import { sealer } from '#libs/sealing'
import { Database, type Trx } from '#libs/store'
import { type GrantedAccess, replaceAccess, setGrant } from '#libs/store/access'
import { listenForEdgeChanges } from '#libs/store/edge'
import {
  addGroupMember,
  createUserGroup,
  deleteUserGroup,
  removeGroupMember,
  updateUserGroup,
} from '#libs/store/user-groups'
import { NamespaceTokens } from '../../../apps/edge/intent/namespace-tokens.ts'
import { readIntent } from '../../../apps/edge/intent/read-intent.ts'
import { ensureEdgeCertificate } from '../../../apps/provisioner/reconcilers/certificates/edge-certificate.ts'
import { testMasterKey } from '../../harness/master-key.ts'
import { createTestDatabase, type TestDatabase } from '../../harness/postgres.ts'
import { until } from '../../harness/until.ts'

const box = sealer(Buffer.from(testMasterKey))
let testDatabase: TestDatabase
let admin: Client
let edge: Database
let provisioner: Database

beforeAll(async () => {
  testDatabase = await createTestDatabase()
  admin = new Client({ connectionString: testDatabase.adminUrl })
  await admin.connect()
  edge = new Database({ url: testDatabase.roleUrl('aqueduct_edge'), poolSize: 2, applicationName: 'edge' })
  provisioner = new Database({ url: testDatabase.roleUrl('aqueduct_provisioner'), poolSize: 2, applicationName: 'p' })
  await openSigningKey(provisioner.all, box, { purpose: 'api_key' })
  await openSigningKey(provisioner.all, box, { purpose: 'probe' })
  await openSigningKey(provisioner.all, box, { purpose: 'cell', cellId: 'cell-1' })
  await admin.query(`
    insert into cells (id, region, driver, state, namespace_limit, history_shards, server_version, database_name, database_password_sealed)
    values ('cell-1', 'aws-us-east-1', 'fake', 'ready', 10, 64, '1.32.2', 'cell_1', 'x')`)
  await admin.query(
    "insert into nodes (id, cell_id, driver, address, state) values ('node-1', 'cell-1', 'fake', '127.1.2.3', 'ready')",
  )
  for (const tenant of ['aaaaa', 'bbbbb']) {
    await admin.query('insert into tenants (id, name) values ($1, $1)', [tenant])
    const spec = {
      mtlsAuth: { enabled: false, acceptedClientCa: '', certificateFilters: [] },
      apiKeyAuth: { enabled: true },
    }
    await admin.query(
      `insert into namespaces (id, tenant_id, name, region, spec, created_by, cell_id, state, served)
       values ('n.' || $1, $1, 'n', 'aws-us-east-1', $2, 'x', 'cell-1', 'active', true)`,
      [tenant, spec],
    )
    await ensureEdgeCertificate(
      { database: provisioner, sealer: box, clock: { now: () => new Date() }, domain: 'example.test' },
      tenant,
      `n.${tenant}`,
    )
  }
  const people = [
    ['usr-owner', 'owner'],
    ['usr-developer', 'developer'],
    ['usr-writer', 'developer'],
  ]
  for (const [id, role] of people) {
    await admin.query(
      "insert into users (id, tenant_id, email, account_role) values ($1, 'aaaaa', $1 || '@example.com', $2)",
      [id, role],
    )
  }
  await admin.query(
    "insert into service_accounts (id, tenant_id, name, account_role, scoped_namespace_id) values ('sa-reader', 'aaaaa', 'r', 'none', 'n.aaaaa')",
  )
  await grant('usr-writer', 'write')
  await grant('sa-reader', 'read')
})
afterAll(async () => {
  await Promise.all([edge.close(), provisioner.close()])
  await admin.end()
  await testDatabase.drop()
})

async function grant(principalId: string, permission: string): Promise<void> {
  await admin.query(
    "insert into namespace_grants (tenant_id, namespace_id, principal_id, permission) values ('aaaaa', 'n.aaaaa', $1, $2)",
    [principalId, permission],
  )
}

const tokens = () => new NamespaceTokens({ database: edge, sealer: box })
async function intentOf(id: string, kept = tokens()) {
  return (await wholeIntent(kept))?.namespaces.find((namespace) => namespace.id === id)
}

async function wholeIntent(kept = tokens()) {
  const deps = {
    database: edge,
    sealer: box,
    tokens: kept,
    domain: 'example.test',
    edgePort: 7233,
    edgePrivatePort: 7234,
    frontendPort: 7243,
    frontendHttpPort: 7247,
  }
  return readIntent(deps, 'cell-1')
}

test('who may write and read comes from roles and grants, tenant by tenant', async () => {
  expect(await intentOf('n.aaaaa')).toMatchObject({
    hostname: 'n.aaaaa.example.test',
    writers: ['usr-owner', 'usr-writer'],
    readers: ['sa-reader'],
    suspended: false,
  })
  expect(await intentOf('n.bbbbb')).toMatchObject({ writers: [], readers: [] })
})

test('what a group may, its members may, until they leave or it is deleted', async () => {
  const api = new Database({ url: testDatabase.roleUrl('aqueduct_api'), poolSize: 1, applicationName: 'api' })
  const tenantId = 'aaaaa'
  const owner: UserClaims = {
    kind: 'user',
    principalId: 'usr-owner',
    tenantId,
    roles: new Set(['owner'] as const),
    namespaceGrants: new Map(),
    customPermissions: [],
    credential: { kind: 'api_key', id: 'key-owner' },
  }
  const change = <Result>(work: (trx: Trx) => Promise<Result>) => api.transactionOfTenant(tenantId, work)
  const allowed = async () => {
    const intent = await intentOf('n.aaaaa')
    return { writes: intent?.writers.includes('usr-developer'), reads: intent?.readers.includes('usr-developer') }
  }
  try {
    const creation = authorize(owner, 'account', 'create_user_group', { tenantId })
    const newGroup = async (displayName: string, accountRole: 'owner' | 'none', grants: GrantedAccess['grants']) => {
      const fields = { displayName, source: { kind: 'cloud' }, accountRole } as const
      return change(async (trx) => {
        const { id } = await createUserGroup(trx, creation, fields)
        await replaceAccess(trx, creation, id, { grants, customRoleIds: [] })
        return id
      })
    }
    const writing = await newGroup('writing', 'none', new Map([['n.aaaaa', 'write']]))
    const ruling = await newGroup('ruling', 'owner', new Map())
    expect(await allowed()).toEqual({ writes: false, reads: false })

    const membership = authorize(owner, 'user_group', 'add_member', { tenantId, groupId: writing })
    await change((trx) => addGroupMember(trx, membership, 'usr-developer'))
    expect(await allowed()).toEqual({ writes: true, reads: false })
    const leaving = authorize(owner, 'user_group', 'remove_member', { tenantId, groupId: writing })
    await change((trx) => removeGroupMember(trx, leaving, 'usr-developer'))
    expect(await allowed()).toEqual({ writes: false, reads: false })
    await change((trx) => addGroupMember(trx, membership, 'usr-developer'))
    const lowering = authorize(owner, 'namespace', 'grant_user_group_access', { tenantId, namespaceId: 'n.aaaaa' })
    await change((trx) => setGrant(trx, lowering, writing, 'read'))
    expect(await allowed()).toEqual({ writes: false, reads: true })
    const end = authorize(owner, 'user_group', 'delete', { tenantId, groupId: writing })
    await change((trx) => deleteUserGroup(trx, end, '1'))
    expect(await allowed()).toEqual({ writes: false, reads: false })

    const ruler = authorize(owner, 'user_group', 'add_member', { tenantId, groupId: ruling })
    await change((trx) => addGroupMember(trx, ruler, 'usr-developer'))
    expect(await allowed()).toEqual({ writes: true, reads: false })
    const lowered = { displayName: 'ruling', source: { kind: 'cloud' }, accountRole: 'none' } as const
    const fall = authorize(owner, 'user_group', 'update', { tenantId, groupId: ruling })
    await change((trx) => updateUserGroup(trx, fall, lowered, '1'))
    expect(await allowed()).toEqual({ writes: false, reads: false })
  } finally {
    await api.close()
  }
})

test('revoked keys and leaves are those of the tenant alone, while they could still be used', async () => {
  const key = (id: string, expires: string, change: string, owner = 'usr-owner') =>
    admin.query(
      `insert into api_keys (id, tenant_id, owner_kind, owner_id, display_name, expires_at, disabled, deleted_at)
       values ($1, 'aaaaa', 'user', $3, 'k', now() + $2::interval, ${change})`,
      [id, expires, owner],
    )
  await key('key-live', '1 day', 'false, null')
  await key('key-disabled', '1 day', 'true, null')
  await key('key-deleted', '1 day', 'false, now()')
  await key('key-deleted-and-expired', '-1 day', 'false, now()')
  // Who is gone is nobody's writer or reader, so that his keys open nothing, and the list does not grow for ever.
  await key('key-of-the-gone', '1 day', 'false, now()', 'usr-gone')
  expect((await intentOf('n.aaaaa'))?.revokedKeyIds).toEqual(['key-deleted', 'key-disabled'])
  expect((await intentOf('n.bbbbb'))?.revokedKeyIds).toEqual([])
})

test('tokens are kept, and name one namespace and one permission', async () => {
  const kept = tokens()
  const first = (await intentOf('n.aaaaa', kept))?.tokens
  expect((await intentOf('n.aaaaa', kept))?.tokens).toEqual(first)
  const claims = JSON.parse(Buffer.from(first?.write.split('.')[1] ?? '', 'base64url').toString('utf8'))
  expect(claims.permissions).toEqual(['n.aaaaa:write'])
  expect(claims.exp - claims.iat).toBe(24 * 3600)
})

test('a key that does not open leaves that namespace without one, and every other as it is', async () => {
  const { rows } = await admin.query("select id, key_sealed from certificates where namespace_id = 'n.bbbbb'")
  await admin.query("update certificates set key_sealed = 'damaged' where namespace_id = 'n.bbbbb'")
  expect((await intentOf('n.bbbbb'))?.serverKeyPem).toBe('')
  expect((await intentOf('n.aaaaa'))?.serverKeyPem).toContain('PRIVATE KEY')
  await admin.query('update certificates set key_sealed = $1 where id = $2', [rows[0].key_sealed, rows[0].id])
})

test('edges are told of every change that they have to follow, of whichever noun', async () => {
  const told: string[] = []
  const ending = new AbortController()
  const listening = listenForEdgeChanges({
    url: testDatabase.roleUrl('aqueduct_edge'),
    onChange: (cellId) => told.push(cellId),
    onLoss: () => undefined,
    signal: ending.signal,
  })
  await until('the listener listens', () => told.includes('*'), 5_000)
  const changes: Readonly<Record<string, string>> = {
    'a role': "update users set account_role = 'read' where id = 'usr-owner'",
    'a grant': "update namespace_grants set permission = 'read' where principal_id = 'usr-writer'",
    'a grant that ends': "delete from namespace_grants where principal_id = 'usr-writer'",
    'a deleted service account': "update service_accounts set deleted_at = now() where id = 'sa-reader'",
    'a member of a group': `insert into user_groups (id, tenant_id, kind, display_name) values ('grp-told', 'aaaaa', 'cloud', 'told');
      insert into user_group_members (tenant_id, group_id, user_id) values ('aaaaa', 'grp-told', 'usr-owner')`,
    'a grant of a group':
      "insert into namespace_grants (tenant_id, namespace_id, principal_id, permission) values ('aaaaa', 'n.aaaaa', 'grp-told', 'read')",
    'a role of a group': "update user_groups set account_role = 'admin' where id = 'grp-told'",
    'a member that leaves': "delete from user_group_members where group_id = 'grp-told'",
    'a deleted group': "update user_groups set deleted_at = now() where id = 'grp-told'",
    'a deleted user': "update users set deleted_at = now() where id = 'usr-developer'",
    'a disabled key': "update api_keys set disabled = true where id = 'key-live'",
    'a suspended tenant': "update tenants set state = 'suspended' where id = 'aaaaa'",
    'a changed spec': "update namespaces set generation = generation + 1 where id = 'n.aaaaa'",
    'another connectivity rule': `update namespaces set spec = spec || '{"connectivityRuleIds": ["rule-1"]}' where id = 'n.aaaaa'`,
    'a namespace that is served no more': "update namespaces set served = false where id = 'n.bbbbb'",
    'a node that moved': "update nodes set address = '127.1.2.4' where id = 'node-1'",
    'a renewed certificate': `insert into certificates select 'cert-2', authority_id, purpose, tenant_id, namespace_id, node_id, common_name,
      serial_number, 'other', certificate_pem, key_sealed, not_before, not_after, issued_by from certificates where namespace_id = 'n.aaaaa'`,
    'a new signing key': "update signing_keys set retired_at = now() where purpose = 'api_key'",
  }
  const missed: string[] = []
  for (const [change, sql] of Object.entries(changes)) {
    told.length = 0
    await admin.query(sql)
    await until(`told of ${change}`, () => told.length > 0, 2_000).catch(() => missed.push(change))
  }
  ending.abort()
  await listening
  expect(missed).toEqual([])
})

test('Nexus endpoints are routed as far as rows and tenants go, and the edge is told of them', async () => {
  const said: string[] = []
  const ending = new AbortController()
  const url = testDatabase.roleUrl('aqueduct_edge')
  const listening = listenForEdgeChanges({
    url,
    onChange: (cellId) => said.push(cellId),
    onLoss: () => undefined,
    signal: ending.signal,
  })
  await until('it listens', () => said.includes('*'))
  expect((await wholeIntent())?.nexus).toMatchObject({ endpoints: [], callers: [] })
  // Rows that no API would write: nothing of another tenant comes of them.
  await admin.query(`
    insert into nexus_endpoints (id, tenant_id, name, target_namespace_id, target_task_queue, allowed_namespace_ids, cell_id, served, state, created_by)
    values ('nexus-1', 'aaaaa', 'payments', 'n.aaaaa', 'q', '{n.aaaaa,n.bbbbb}', 'cell-1', true, 'active', 'x'),
           ('nexus-2', 'aaaaa', 'foreign', 'n.bbbbb', 'q', '{n.aaaaa}', 'cell-1', true, 'active', 'x'),
           ('nexus-3', 'aaaaa', 'unserved', 'n.aaaaa', 'q', '{n.aaaaa}', 'cell-1', false, 'active', 'x'),
           ('nexus-4', 'aaaaa', 'gone', 'n.aaaaa', 'q', '{n.aaaaa}', 'cell-1', true, 'deleted', 'x')`)
  expect((await wholeIntent())?.nexus).toEqual({
    secret: expect.stringMatching(/^[0-9a-f]{64}$/),
    endpoints: [
      {
        id: 'nexus-1',
        name: 'payments',
        generation: 1,
        targetNamespaceId: 'n.aaaaa',
        targetTaskQueue: 'q',
        allowedNamespaceIds: ['n.aaaaa'],
      },
    ],
    callers: ['n.aaaaa'],
  })
  said.length = 0
  await admin.query("update nexus_endpoints set served = true where id = 'nexus-3'")
  await until('the edge is told of what is served', () => said.includes('cell-1'))
  said.length = 0
  await admin.query("update nexus_endpoints set generation = 2 where id = 'nexus-1'")
  await until('the edge is told of what changed', () => said.includes('cell-1'))
  // Operations that are under way are completed, also after the last endpoint.
  await admin.query("update nexus_endpoints set state = 'deleted', served = false")
  expect((await wholeIntent())?.nexus).toMatchObject({ endpoints: [], callers: ['n.aaaaa'] })
  ending.abort()
  await listening
})
