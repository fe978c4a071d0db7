import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '#libs/base'
import { Database } from '#libs/store'
import type { LaunchEntry } from '../../../../apps/provisioner/drivers/ec2/launch-journal.ts'
import { StoredLaunchJournal } from '../../../../apps/provisioner/drivers/ec2/stored-launch-journal.ts'
import { createTestDatabase, type TestDatabase } from '../../../harness/postgres.ts'

let testDatabase: TestDatabase
let owner: Database
let database: Database
let journal: StoredLaunchJournal
beforeAll(async () => {
  testDatabase = await createTestDatabase()
  const connect = (url: string) =>
    new Database({ url, poolSize: 4, applicationName: 'journal', onIdleError: (error) => console.error(error) })
  owner = connect(testDatabase.adminUrl)
  database = connect(testDatabase.roleUrl('aqueduct_provisioner'))
  journal = new StoredLaunchJournal({ database })
})
afterAll(async () => {
  await owner.close()
  await database.close()
  await testDatabase.drop()
})

const entry: LaunchEntry = {
  cellId: 'cell-1',
  imageId: 'ami-1',
  placements: [{ instanceType: 'm7g.large', subnetId: 'subnet-1', zone: 'us-east-1a' }],
  attempt: 0,
  round: 0,
  doubtUntil: '2026-01-01T00:00:00.000Z',
}

async function node(state = 'creating'): Promise<string> {
  const [cellId, nodeId] = [newId('cell'), newId('node')]
  await owner.pool.query(
    `insert into cells (id, region, driver, namespace_limit, history_shards, server_version, database_name, database_password_sealed)
     values ($1, 'aws-us-east-1', 'ec2', 9, 4, '1.32.2', $1, 'none')`,
    [cellId],
  )
  await owner.pool.query('insert into nodes (id, cell_id, driver, state) values ($1, $2, $3, $4)', [
    nodeId,
    cellId,
    'ec2',
    state,
  ])
  return nodeId
}

test('an entry is read as it was written, and written over only by who has read it', async () => {
  const nodeId = await node()
  expect(await journal.read([nodeId])).toEqual(new Map())
  const first = await Promise.all([journal.write(nodeId, 0, entry), journal.write(nodeId, 0, entry)])
  expect(first.toSorted()).toEqual([false, true])
  expect((await journal.read([nodeId])).get(nodeId)).toEqual({ ...entry, revision: 1, ended: false })
  const { doubtUntil: _over, ...known } = { ...entry, machineId: 'i-1', launchedAt: '2026-01-01T00:00:01.000Z' }
  const second = await Promise.all([journal.write(nodeId, 1, known), journal.write(nodeId, 1, known)])
  expect(second.toSorted()).toEqual([false, true])
  expect((await journal.read([nodeId])).get(nodeId)).toEqual({ ...known, revision: 2, ended: false })
})

test('nothing is written for a node that goes, nor for one without a row', async () => {
  expect(await journal.write(newId('node'), 0, entry)).toBe(false)
  for (const state of ['deleting', 'deleted']) expect(await journal.write(await node(state), 0, entry)).toBe(false)
  const nodeId = await node()
  expect(await journal.write(nodeId, 0, entry)).toBe(true)
  await owner.pool.query(`update nodes set state = 'deleting' where id = $1`, [nodeId])
  expect(await journal.write(nodeId, 1, entry)).toBe(false)
})

test('what has ended is read, and not written any more', async () => {
  const nodeId = await node()
  await journal.end(nodeId)
  await journal.write(nodeId, 0, entry)
  await journal.end(nodeId)
  await journal.end(nodeId)
  expect((await journal.read([nodeId])).get(nodeId)).toMatchObject({ ended: true, revision: 1 })
  expect(await journal.write(nodeId, 1, entry)).toBe(false)
})
