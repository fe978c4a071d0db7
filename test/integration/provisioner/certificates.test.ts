import { X509Certificate } from 'node:crypto'
import type { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openAuthority } from '#libs/keyring'
import { sealer } from '#libs/sealing'
import type { Database } from '#libs/store'
import { findServingCertificate } from '#libs/store/certificates'
import { createLogger } from '#libs/telemetry'
import { ensureNodeCertificate } from '../../../apps/provisioner/reconcilers/certificates/node-certificate.ts'
import { renewCertificates } from '../../../apps/provisioner/reconcilers/certificates/renew.ts'
import { testMasterKey } from '../../harness/master-key.ts'
import { openProvisionerDatabase, type ProvisionerDatabase } from '../../harness/provisioner-database.ts'

const day = 86_400_000
let opened: ProvisionerDatabase
let admin: Client
let database: Database

beforeAll(async () => {
  opened = await openProvisionerDatabase()
  ;({ admin, database } = opened)
  await admin.query("insert into tenants (id, name) values ('abcde', 'Example')")
  await admin.query(`
    insert into cells (id, region, driver, state, namespace_limit, history_shards, server_version, database_name, database_password_sealed)
    values ('cell-1', 'aws-us-east-1', 'fake', 'ready', 10, 64, '1.32.2', 'cell_1', 'x')`)
  await admin.query("insert into nodes (id, cell_id, driver, state) values ('node-1', 'cell-1', 'fake', 'ready')")
  for (const name of ['one', 'two']) {
    await admin.query(
      "insert into namespaces (id, tenant_id, name, region, spec, created_by, cell_id, state, served) values ($1 || '.abcde', 'abcde', $1, 'aws-us-east-1', '{}', 'x', 'cell-1', 'active', true)",
      [name],
    )
  }
})
afterAll(async () => {
  await opened[Symbol.asyncDispose]()
})

function deps(inDays: number) {
  return {
    database,
    sealer: sealer(Buffer.from(testMasterKey)),
    clock: { now: () => new Date(Date.now() + inDays * day) },
    domain: 'example.test',
    logger: createLogger('test', 'silent'),
  }
}

test('certificates are issued once, renewed when a third is left, and a renewed node gets a new manifest', async () => {
  expect(await renewCertificates(deps(0), new AbortController().signal)).toBe(3)
  expect(await renewCertificates(deps(0), new AbortController().signal)).toBe(0)
  expect(await renewCertificates(deps(59), new AbortController().signal)).toBe(0)
  const { rows: before } = await admin.query('select generation from nodes')
  expect(await renewCertificates(deps(61), new AbortController().signal)).toBe(3)
  const { rows: after } = await admin.query('select generation from nodes')
  expect(after[0].generation).toBe(Number(before[0].generation) + 1)
})

test('a node’s chain leads to the node root, and the edge’s certificate to the server CA, for its own host name alone', async () => {
  const identity = await ensureNodeCertificate(deps(0), 'cell-1', 'node-1')
  const leaf = new X509Certificate(identity.leafPem)
  const cellCa = new X509Certificate(identity.cellCaPem)
  const root = new X509Certificate(
    (await openAuthority(database.all, deps(0).sealer, { purpose: 'node' })).certificatePem,
  )
  expect(leaf.verify(cellCa.publicKey)).toBe(true)
  expect(cellCa.verify(root.publicKey)).toBe(true)
  expect(leaf.subjectAltName).toContain('URI:aqueduct://cells/cell-1/nodes/node-1')
  const edge = await findServingCertificate(database.all, { namespaceId: 'one.abcde' })
  const served = new X509Certificate(edge?.certificate_pem ?? '')
  expect(served.checkHost('one.abcde.example.test')).toBe('one.abcde.example.test')
  expect(served.checkHost('two.abcde.example.test')).toBeUndefined()
  expect(served.checkHost('x.one.abcde.example.test')).toBeUndefined()
})

test('one certificate that cannot be renewed stops no other', async () => {
  await admin.query("update namespaces set id = 'not a host.abcde', name = 'not a host' where id = 'one.abcde'")
  expect(await renewCertificates(deps(130), new AbortController().signal)).toBe(2)
})
