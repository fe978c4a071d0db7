import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Database } from '#libs/store'
import { prepare } from '../../../apps/aqueduct/prepare.ts'
import { readLauncherSettings } from '../../../apps/aqueduct/settings.ts'
import { testMasterKey } from '../../harness/master-key.ts'
import { createTestDatabase, type TestDatabase } from '../../harness/postgres.ts'

let testDatabase: TestDatabase
let machines: readonly string[]
beforeEach(async () => {
  testDatabase = await createTestDatabase()
  machines = ['a', 'b'].map((name) => mkdtempSync(join(tmpdir(), `aqueduct-machine-${name}-`)))
})
afterEach(async () => {
  await testDatabase.drop()
  for (const folder of machines) rmSync(folder, { recursive: true })
})

const screen = { line: () => undefined }

function on(machine: string, more: Readonly<Record<string, string>> = {}): Promise<void> {
  const settings = readLauncherSettings({
    AQUEDUCT_DATA_DIR: machine,
    AQUEDUCT_MASTER_KEY: Buffer.from(testMasterKey).toString('base64'),
    DATABASE_URL: testDatabase.adminUrl,
    ...more,
  })
  return prepare(settings, screen)
}

test('two machines that prepare at once, and again, make one operator, whose key one of them has', async () => {
  await Promise.all(machines.map((machine) => on(machine)))
  await Promise.all(machines.map((machine) => on(machine)))
  const database = new Database({ url: testDatabase.adminUrl, poolSize: 1, applicationName: 'test' })
  try {
    const names = await database.all.selectFrom('operators').select('name').execute()
    expect(names).toEqual([{ name: 'first' }])
  } finally {
    await database.close()
  }
  const holders = machines.filter((machine) => existsSync(join(machine, 'credentials/operator.key')))
  expect(holders).toHaveLength(1)
  for (const machine of machines) expect(existsSync(join(machine, 'credentials/ca.pem'))).toBe(true)
})

test('a master key is never made up, and a database never started', async () => {
  const [machine = ''] = machines
  await expect(on(machine, { AQUEDUCT_MASTER_KEY: '' })).rejects.toThrow('AQUEDUCT_MASTER_KEY')
  await expect(on(machine, { DATABASE_URL: '' })).rejects.toThrow('DATABASE_URL must be set')
  expect(existsSync(join(machine, 'master.key'))).toBe(false)
})
