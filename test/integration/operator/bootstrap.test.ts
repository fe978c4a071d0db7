import { X509Certificate } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createCertificateAuthority, issueCertificate } from '#libs/pki'
import { sealer } from '#libs/sealing'
import { Database, migrate } from '#libs/store'
import { findLiveOperator } from '#libs/store/operators'
import { bootstrap } from '../../../apps/aqueduct/bootstrap.ts'
import { recoverOperator } from '../../../apps/aqueduct/recover-operator.ts'
import { readLauncherSettings } from '../../../apps/aqueduct/settings.ts'
import { testMasterKey } from '../../harness/master-key.ts'
import { createTestDatabase, type TestDatabase } from '../../harness/postgres.ts'

let testDatabase: TestDatabase
let database: Database
let dataDirectory: string
let certificateFile: string
let keyFile: string
beforeEach(async () => {
  testDatabase = await createTestDatabase()
  database = new Database({ url: testDatabase.adminUrl, poolSize: 2, applicationName: 'test' })
  dataDirectory = mkdtempSync(join(tmpdir(), 'aqueduct-bootstrap-'))
  certificateFile = join(dataDirectory, 'credentials/operator.pem')
  keyFile = join(dataDirectory, 'credentials/operator.key')
})
afterEach(async () => {
  await database.close()
  await testDatabase.drop()
  rmSync(dataDirectory, { recursive: true })
})

const masterKey = Buffer.from(testMasterKey)

function start(firstOperator = 'first') {
  return bootstrap({ dataDirectory, adminUrl: testDatabase.adminUrl, masterKey, firstOperator })
}

const said: string[] = []
async function recover(name: string, more: Readonly<Record<string, string>> = {}): Promise<void> {
  const settings = readLauncherSettings({
    AQUEDUCT_DATA_DIR: dataDirectory,
    AQUEDUCT_MASTER_KEY: masterKey.toString('base64'),
    DATABASE_URL: testDatabase.adminUrl,
    ...more,
  })
  await recoverOperator(settings, name, { line: (text) => void said.push(text) })
}

/** Whom the files let in. */
async function holder() {
  const { fingerprint256 } = new X509Certificate(readFileSync(certificateFile))
  return findLiveOperator(database.all, fingerprint256.replaceAll(':', '').toLowerCase())
}

async function issued(): Promise<readonly string[]> {
  const query = database.all.selectFrom('certificates').select(['operator_name', 'issued_by']).orderBy('created_at')
  const rows = await query.where('purpose', '=', 'operator').execute()
  return rows.map((row) => `${row.operator_name} by ${row.issued_by}`)
}

async function audited(): Promise<readonly unknown[]> {
  const query = database.all.selectFrom('audit_entries').select(['interface', 'operation', 'target']).orderBy('seq')
  return query.where('chain', '=', '_fleet').execute()
}

test('the first start makes one operator, whom its files let in as an admin', async () => {
  expect(await start('grace')).toMatchObject({ operatorProblem: undefined })
  expect(await holder()).toEqual({ name: 'grace', role: 'admin' })
  expect(statSync(keyFile).mode & 0o777).toBe(0o600)
  expect(await issued()).toEqual(['grace by bootstrap'])
  expect(await audited()).toMatchObject([
    { interface: 'launcher', operation: 'operator bootstrap', target: { operatorName: 'grace' } },
  ])
})

test('the bootstrap ends itself: whoever removes the files gets no others', async () => {
  await start()
  const before = readFileSync(certificateFile, 'utf8')
  expect((await start('mallory')).operatorProblem).toBe(undefined)
  expect(readFileSync(certificateFile, 'utf8')).toBe(before)
  rmSync(certificateFile)
  rmSync(keyFile)
  const { operatorProblem } = await start('mallory')
  expect(operatorProblem).toContain(certificateFile)
  expect(operatorProblem).toContain(keyFile)
  expect(operatorProblem).toContain('npm run operator:recover')
  await expect(readdir(join(dataDirectory, 'credentials'))).resolves.toEqual(['ca.pem'])
  expect(await issued()).toEqual(['first by bootstrap'])
})

test('not even a deleted operator makes room for a first one', async () => {
  await start()
  await database.all.updateTable('operators').set({ deleted_at: new Date() }).execute()
  rmSync(certificateFile)
  expect((await start('mallory')).operatorProblem).toContain(certificateFile)
  expect(await issued()).toEqual(['first by bootstrap'])
})

test('says when the files open nothing any more', async () => {
  await start()
  await database.all.updateTable('certificates').set({ revoked_at: new Date(), revoked_by: 'test' }).execute()
  expect((await start()).operatorProblem).toContain('is not good any more')
})

test('two first starts at once make one operator', async () => {
  const elsewhere = mkdtempSync(join(tmpdir(), 'aqueduct-bootstrap-'))
  const context = { adminUrl: testDatabase.adminUrl, masterKey }
  const both = await Promise.all([
    bootstrap({ ...context, dataDirectory, firstOperator: 'one' }),
    bootstrap({ ...context, dataDirectory: elsewhere, firstOperator: 'two' }),
  ])
  rmSync(elsewhere, { recursive: true })
  expect(both.filter(({ operatorProblem }) => operatorProblem === undefined)).toHaveLength(1)
  expect(await issued()).toHaveLength(1)
})

test('a first start that cannot write the files was none', async () => {
  mkdirSync(keyFile, { recursive: true })
  await expect(start()).rejects.toThrow()
  expect(await issued()).toEqual([])
  rmSync(keyFile, { recursive: true })
  expect(await start()).toMatchObject({ operatorProblem: undefined })
  expect(await holder()).toEqual({ name: 'first', role: 'admin' })
})

test('a recovery lets an operator in as an admin, and is written down', async () => {
  await start()
  await expect(recover('first')).rejects.toThrow(/operator.pem is there: move it away first/)
  await database.all.updateTable('operators').set({ role: 'viewer' }).execute()
  rmSync(certificateFile)
  await expect(recover('first')).rejects.toThrow(/operator.key is there/)
  rmSync(keyFile)
  await recover('first')
  expect(await holder()).toEqual({ name: 'first', role: 'admin' })
  expect(statSync(keyFile).mode & 0o777).toBe(0o600)
  rmSync(certificateFile)
  rmSync(keyFile)
  await recover('grace')
  expect(await holder()).toEqual({ name: 'grace', role: 'admin' })
  expect(await issued()).toEqual(['first by bootstrap', 'first by recovery', 'grace by recovery'])
  const log = await readFile(join(dataDirectory, 'log/recover.log'), 'utf8')
  const lines = log
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines).toMatchObject([
    { msg: 'operator recovered', operator: 'first', fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) },
    { msg: 'operator recovered', operator: 'grace' },
  ])
  for (const text of [log, said.join('\n')]) expect(text).not.toContain('PRIVATE KEY')
  expect(await audited()).toMatchObject([
    { operation: 'operator bootstrap' },
    { operation: 'operator recovery', target: { operatorName: 'first' } },
    { operation: 'operator recovery', target: { operatorName: 'grace' } },
  ])
  expect((await start()).operatorProblem).toBe(undefined)
})

test('a recovery wants the master key, and a name that was not deleted', async () => {
  await start()
  rmSync(certificateFile)
  rmSync(keyFile)
  const other = Buffer.alloc(32, 9).toString('base64')
  await expect(recover('first', { AQUEDUCT_MASTER_KEY: other })).rejects.toThrow()
  await expect(recover('first', { AQUEDUCT_MASTER_KEY: '' })).rejects.toThrow(/master.key is missing/)
  await expect(recover('Not a name')).rejects.toThrow(/lower case/)
  await database.all.updateTable('operators').set({ deleted_at: new Date() }).execute()
  await expect(recover('first')).rejects.toThrow(/was deleted/)
  expect(await issued()).toEqual(['first by bootstrap'])
  await expect(readdir(join(dataDirectory, 'credentials'))).resolves.toEqual(['ca.pem'])
  await expect(recover('first', { DATABASE_URL: 'postgres://127.0.0.1:1/none' })).rejects.toThrow(
    /start Aqueduct first/,
  )
})

test('an installation from before there were roles keeps the operators that can get in, as admins', async () => {
  const directory = new URL('../../../libs/store/migrations/', import.meta.url)
  const older = (await readdir(directory)).filter((name) => name < '0008').sort()
  const admin = new Client({ connectionString: testDatabase.adminUrl })
  await admin.connect()
  try {
    await admin.query(
      'drop schema public cascade; create schema public; grant create on schema public to aqueduct_provisioner',
    )
    await admin.query(
      'create table schema_migrations (name text primary key, breaking boolean not null, applied_at timestamptz not null default now())',
    )
    for (const name of older) {
      await admin.query(await readFile(new URL(name, directory), 'utf8'))
      await admin.query('insert into schema_migrations (name, breaking) values ($1, false)', [name])
    }
    const ca = await createCertificateAuthority({ commonName: 'operators', validityDays: 1 })
    await admin.query(
      "insert into certificate_authorities (id, purpose, certificate_pem, key_sealed, not_after) values ('ca', 'operator', $1, $2, now())",
      [ca.certificatePem, sealer(masterKey).seal(ca.keyPem, 'certificate_authorities/ca')],
    )
    const issue = async (name: string, notAfter: string, revoked: boolean): Promise<string> => {
      const made = await issueCertificate({
        issuer: ca,
        subject: { commonName: name },
        usage: 'client',
        validityDays: 1,
      })
      await admin.query(
        `insert into certificates (id, authority_id, purpose, common_name, serial_number, fingerprint, certificate_pem,
           not_before, not_after, issued_by, revoked_at)
         values ($1, 'ca', 'operator', $2, '1', $1, '', now(), now() + $3::interval, 'bootstrap', ${revoked ? 'now()' : 'null'})`,
        [made.fingerprintSha256, name, notAfter],
      )
      return made.fingerprintSha256
    }
    const live = await issue('first', '1 day', false)
    const replaced = await issue('first', '1 day', true)
    const gone = await issue('gone', '1 day', true)
    const ended = await issue('ended', '-1 day', false)
    await migrate({ adminUrl: testDatabase.adminUrl, masterKey })
    const { rows } = await admin.query(
      'select name, role, deleted_at is not null as deleted from operators order by name',
    )
    expect(rows).toEqual([
      { name: 'ended', role: 'admin', deleted: true },
      { name: 'first', role: 'admin', deleted: false },
      { name: 'gone', role: 'admin', deleted: true },
    ])
    expect(await findLiveOperator(database.all, live)).toEqual({ name: 'first', role: 'admin' })
    for (const dead of [replaced, gone, ended]) expect(await findLiveOperator(database.all, dead)).toBe(undefined)
  } finally {
    await admin.end()
  }
  // And the bootstrap is over for it.
  expect((await start('mallory')).operatorProblem).toContain('made once')
})
