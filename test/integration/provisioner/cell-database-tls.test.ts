// Before anything else: the test runner would let pg find it half loaded.
import 'node:tls'
import { randomBytes } from 'node:crypto'
import { chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createCertificateAuthority, issueCertificate } from '#libs/pki'
import { type Cluster, startCluster } from '../../../apps/aqueduct/postgres/cluster.ts'
import { freePort } from '../../../apps/aqueduct/postgres/free-port.ts'
import { databaseConnection } from '../../../apps/provisioner/cells/database-connection.ts'
import { cellDatabase, createCellDatabases } from '../../../apps/provisioner/cells/databases.ts'
import { toolchain } from '../../harness/toolchain.ts'
import { until } from '../../harness/until.ts'

/** Databases of cells on a server that proves itself, as RDS does. */

let folder: string
let cluster: Cluster
let adminUrl: (ca: string) => string
const files = { right: '', wrong: '' }

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'aqueduct-tls-'))
  const directory = join(folder, 'postgres')
  cluster = await startCluster({
    directory,
    port: await freePort(),
    password: randomBytes(12).toString('hex'),
    settings: { fsync: 'off' },
    onOutput: () => undefined,
    dieWithParent: true,
  })
  const [ca, other] = await Promise.all(
    ['Databases', 'Others'].map((commonName) => createCertificateAuthority({ commonName, validityDays: 2 })),
  )
  if (ca === undefined || other === undefined) throw new Error('there are two')
  const leaf = await issueCertificate({
    issuer: ca,
    usage: 'server',
    subject: { commonName: 'localhost' },
    dnsNames: ['localhost'],
    validityDays: 1,
  })
  for (const [name, pem] of Object.entries({ right: ca.certificatePem, wrong: other.certificatePem })) {
    files[name as keyof typeof files] = join(folder, `${name}.pem`)
    writeFileSync(join(folder, `${name}.pem`), pem)
  }
  const { uid, gid } = statSync(directory)
  for (const [name, pem] of Object.entries({ 'server.crt': leaf.certificatePem, 'server.key': leaf.keyPem })) {
    const file = join(directory, name)
    writeFileSync(file, pem, { mode: 0o600 })
    chownSync(file, uid, gid)
  }
  const admin = new Client({ connectionString: cluster.adminUrl })
  await admin.connect()
  await admin.query(`ALTER SYSTEM SET ssl_cert_file = '${join(directory, 'server.crt')}'`)
  await admin.query(`ALTER SYSTEM SET ssl_key_file = '${join(directory, 'server.key')}'`)
  await admin.query('ALTER SYSTEM SET ssl = on')
  await admin.query('SELECT pg_reload_conf()')
  await until('TLS', async () => (await admin.query<{ ssl: string }>('SHOW ssl')).rows[0]?.ssl === 'on')
  await admin.end()
  adminUrl = (file) => {
    const url = new URL(cluster.adminUrl)
    url.hostname = 'localhost'
    url.search = new URLSearchParams({ sslmode: 'verify-full', sslrootcert: file }).toString()
    return url.href
  }
})
afterAll(async () => {
  await cluster?.stop()
  rmSync(folder, { recursive: true, force: true })
})

const make = (url: string, cellId: string) =>
  createCellDatabases(
    { adminUrl: url, sqlTool: toolchain().temporalSqlTool, installation: 'test' },
    cellId,
    'only-a-test',
  )

test('are made, given their schema and connected to by TLS', async () => {
  const database = await make(adminUrl(files.right), 'cell-tls')
  expect(database.caFile).toBe(files.right)
  const client = new Client(databaseConnection(database, database.name))
  await client.connect()
  const { rows } = await client.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')
  await client.end()
  expect(rows).toEqual([{ ssl: true }])
})

test('are not made on a server that another CA speaks for, by nobody', async () => {
  await expect(make(adminUrl(files.wrong), 'cell-other')).rejects.toThrow(/unable to verify|self-signed|issuer/)
  const database = { ...cellDatabase(adminUrl(files.wrong), 'cell-tls', 'only-a-test') }
  const client = new Client(databaseConnection(database, database.name))
  await expect(client.connect()).rejects.toThrow(/unable to verify|self-signed|issuer/)
})

test.each([
  '?sslmode=require',
  '?sslmode=verify-full',
  '?sslrootcert=/ca.pem',
  '?sslmode=verify-full&sslrootcert=ca.pem',
])('are not made with half of it: %s', (search) => {
  const url = `${cluster.adminUrl}${search}`
  expect(() => cellDatabase(url, 'cell-half', 'x')).toThrow('AQUEDUCT_CELL_DATABASE_URL: write sslmode=verify-full')
})
