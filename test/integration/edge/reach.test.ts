import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { EdgeNamespace } from '#libs/domain/edges'
import { nodePorts } from '#libs/domain/nodes'
import { openSigningKey } from '#libs/keyring'
import { sealer } from '#libs/sealing'
import { Database } from '#libs/store'
import { NamespaceTokens } from '../../../apps/edge/intent/namespace-tokens.ts'
import { readIntent } from '../../../apps/edge/intent/read-intent.ts'
import { translateEdge } from '../../../apps/edge/translate/translate.ts'
import { readEdgeDocument } from '../../../apps/node/edge/edge-document.ts'
import { ensureEdgeCertificate } from '../../../apps/provisioner/reconcilers/certificates/edge-certificate.ts'
import { ProbedEdgeAccess } from '../../../apps/provisioner/reconcilers/namespaces/probed-edge-access.ts'
import { testMasterKey } from '../../harness/master-key.ts'
import { createTestDatabase, type TestDatabase } from '../../harness/postgres.ts'
import { EdgeFixture } from './edge-fixture.ts'

const box = sealer(Buffer.from(testMasterKey))
const clock = { now: () => new Date() }
const id = 'n.aaaaa'
let edge: EdgeFixture
let testDatabase: TestDatabase
let admin: Client
let reader: Database
let provisioner: Database
let access: ProbedEdgeAccess
let frontendPort: number
let generation = 1

beforeAll(async () => {
  edge = await EdgeFixture.start()
  frontendPort = edge.frontends[0]?.port ?? 0
  testDatabase = await createTestDatabase()
  admin = new Client({ connectionString: testDatabase.adminUrl })
  await admin.connect()
  reader = new Database({ url: testDatabase.roleUrl('aqueduct_edge'), poolSize: 2, applicationName: 'edge' })
  provisioner = new Database({ url: testDatabase.roleUrl('aqueduct_provisioner'), poolSize: 2, applicationName: 'p' })
  for (const purpose of ['api_key', 'probe'] as const) await openSigningKey(provisioner.all, box, { purpose })
  await openSigningKey(provisioner.all, box, { purpose: 'cell', cellId: 'cell-1' })
  await admin.query(`
    insert into cells (id, region, driver, state, namespace_limit, history_shards, server_version, database_name, database_password_sealed)
    values ('cell-1', 'aws-us-east-1', 'fake', 'ready', 10, 64, '1.32.2', 'cell_1', 'x')`)
  await admin.query(
    "insert into nodes (id, cell_id, driver, address, state) values ('node-1', 'cell-1', 'fake', $1, 'ready')",
    [edge.address],
  )
  for (const tenant of ['aaaaa', 'bbbbb']) {
    await admin.query('insert into tenants (id, name) values ($1, $1)', [tenant])
    await admin.query(
      `insert into connectivity_rules (id, tenant_id, kind, connection_id, region) values
       ('rule-public-' || $1, $1, 'public', '', ''),
       ('rule-one-' || $1, $1, 'private', 'vpce-1', 'aws-us-east-1'),
       ('rule-two-' || $1, $1, 'private', '1234567890123456789', 'gcp-europe-west1')`,
      [tenant],
    )
  }
  await admin.query(
    `insert into namespaces (id, tenant_id, name, region, spec, created_by, cell_id, state, served)
     values ($1, 'aaaaa', 'n', 'aws-us-east-1', $2, 'x', 'cell-1', 'active', true)`,
    [id, specWith([])],
  )
  const deps = { database: provisioner, sealer: box, clock, domain: 'example.test' }
  await ensureEdgeCertificate(deps, 'aaaaa', id)
  access = new ProbedEdgeAccess(deps)
  edge.copy.prepare()
  await serve()
  await edge.startEnvoy()
})
afterAll(async () => {
  await edge.close()
  await Promise.all([reader.close(), provisioner.close()])
  await admin.end()
  await testDatabase.drop()
})

function specWith(connectivityRuleIds: readonly string[]) {
  return {
    mtlsAuth: { enabled: false, acceptedClientCa: '', certificateFilters: [] },
    apiKeyAuth: { enabled: true },
    connectivityRuleIds,
  }
}

async function name(...rules: readonly string[]): Promise<void> {
  generation += 1
  await admin.query('update namespaces set spec = $2, generation = $3 where id = $1', [id, specWith(rules), generation])
}

async function intent() {
  const deps = {
    database: reader,
    sealer: box,
    tokens: new NamespaceTokens({ database: reader, sealer: box }),
    domain: 'example.test',
    edgePort: nodePorts.edge,
    edgePrivatePort: nodePorts.edgePrivate,
    frontendPort,
    frontendHttpPort: frontendPort,
  }
  const read = await readIntent(deps, 'cell-1')
  if (read === undefined) throw new Error('there is a cell')
  return read
}

/** Gives the edge what the rows say, or something that differs from it. */
async function serve(change: (namespace: EdgeNamespace) => EdgeNamespace = (namespace) => namespace): Promise<void> {
  const wanted = await intent()
  const { text } = translateEdge({ ...wanted, namespaces: wanted.namespaces.map(change) })
  await edge.copy.take(readEdgeDocument(text))
}

const look = () => access.awaitServing('cell-1', id, generation)
const serving = () => ({ kind: 'serving', generation })
const one = { provider: 'aws', connectionId: 'vpce-1' } as const
const two = { provider: 'gcp', connectionId: '1234567890123456789' } as const

test('the rows of the rules come to where a namespace is served', async () => {
  const reach = async () => (await intent()).namespaces[0]?.reach
  expect(await reach()).toBeUndefined()
  await name('rule-two-aaaaa', 'rule-one-aaaaa')
  expect(await reach()).toEqual({ isPublic: false, privateLinks: [one, two] })
  await name('rule-one-aaaaa', 'rule-public-aaaaa')
  expect(await reach()).toEqual({ isPublic: true, privateLinks: [one] })
  // Another tenant's rules open nothing, whatever a row says; nor do those that are gone. What is left is nothing at all.
  await name('rule-public-bbbbb', 'rule-one-bbbbb', 'rule-invented')
  expect(await reach()).toEqual({ isPublic: false, privateLinks: [] })
  await admin.query("update connectivity_rules set deleted_at = now() where id = 'rule-public-aaaaa'")
  await name('rule-public-aaaaa')
  expect(await reach()).toEqual({ isPublic: false, privateLinks: [] })
  await admin.query("update connectivity_rules set deleted_at = null where id = 'rule-public-aaaaa'")
})

test('a private namespace acts when it is served privately, by every rule, and not publicly', {
  timeout: 60_000,
}, async () => {
  await name()
  await serve()
  expect(await look()).toEqual(serving())

  await name('rule-one-aaaaa', 'rule-two-aaaaa')
  await serve((namespace) => ({ ...namespace, reach: { isPublic: true, privateLinks: [one, two] } }))
  expect(await look()).toEqual({ kind: 'not_yet', detail: 'it still answers' })
  await serve((namespace) => ({ ...namespace, reach: { isPublic: false, privateLinks: [one] } }))
  expect(await look()).toMatchObject({ kind: 'not_yet' })
  await serve()
  expect(await look()).toEqual(serving())
  await expect(edge.call(edge.namespace(id, { hostname: `${id}.example.test` }))).rejects.toThrow()

  await name('rule-public-aaaaa')
  await serve((namespace) => ({ ...namespace, reach: { isPublic: true, privateLinks: [one] } }))
  expect(await look()).toMatchObject({ kind: 'not_yet' })
  await serve()
  expect(await look()).toEqual(serving())
})

test('a namespace is gone when it is gone from both listeners', { timeout: 30_000 }, async () => {
  await name('rule-one-aaaaa')
  await serve()
  expect(await access.awaitAbsence('cell-1', id)).toMatchObject({ kind: 'not_yet' })
  await admin.query('update namespaces set served = false where id = $1', [id])
  await serve()
  expect(await access.awaitAbsence('cell-1', id)).toEqual({ kind: 'absent' })
})
