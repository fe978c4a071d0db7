import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { mark } from '../../../apps/provisioner/cells/database-marks.ts'
import { createCellDatabases, dropCellDatabases } from '../../../apps/provisioner/cells/databases.ts'
import { collectOrphanDatabases } from '../../../apps/provisioner/collectors/orphan-databases.ts'
import { postgresAdminUrl } from '../../harness/postgres.ts'
import { graceMs, OrphanFixture } from './orphan-fixture.ts'

const adminUrl = postgresAdminUrl()
// The server is shared with other tests, and so is its list of databases: each run has names of its own.
const run = randomBytes(4).toString('hex')
const ours = `ours-${run}`
const theirs = `theirs-${run}`
const cellId = `cell-${run}`
const name = `cell_${run}`

let world: OrphanFixture
let server: Client
beforeAll(async () => {
  world = await OrphanFixture.start()
  server = new Client({ connectionString: adminUrl })
  await server.connect()
})
afterAll(async () => {
  await server.end()
  await world[Symbol.asyncDispose]()
})
beforeEach(() => world.clear())
afterEach(async () => {
  for (const database of [name, `${name}_visibility`]) await server.query(`drop database if exists ${database}`)
  await server.query(`drop role if exists ${name}`)
})

/** As createCellDatabases leaves it, without the schema that nobody asks for here. */
async function make(installation: string | undefined): Promise<void> {
  await server.query(`create role ${name}`)
  for (const database of [name, `${name}_visibility`]) await server.query(`create database ${database} owner ${name}`)
  if (installation !== undefined) await mark(server, { kind: 'role', name }, installation)
}

async function left(): Promise<readonly string[]> {
  const { rows } = await server.query<{ name: string }>(
    `select datname as name from pg_database where datname like '${name}%' union all
     select rolname from pg_roles where rolname like '${name}%' order by 1`,
  )
  return rows.map((row) => row.name)
}

const round = (deps: Partial<Parameters<typeof collectOrphanDatabases>[0]> = {}) =>
  collectOrphanDatabases({ ...world.deps, adminUrl, installation: ours, ...deps })
const all = [name, name, `${name}_visibility`]

test('the databases and the role of a deleted cell go after the grace, counted from the first sighting', async () => {
  await make(ours)
  await world.cell(cellId, { state: 'deleted' })
  expect(await round()).toBe(0)
  world.clock.pass(graceMs - 1)
  expect(await round()).toBe(0)
  world.clock.pass(1)
  expect(await round()).toBe(1)
  expect(await left()).toEqual([])
  expect(world.collected).toEqual(['database'])
})

test('a role alone goes, too', async () => {
  await server.query(`create role ${name}`)
  await mark(server, { kind: 'role', name }, ours)
  await world.cell(cellId, { state: 'deleted' })
  await round()
  world.clock.pass(graceMs)
  await round()
  expect(await left()).toEqual([])
})

test.each(['creating', 'ready', 'failed', 'deleting'])('nothing of a cell that is %s goes', async (state) => {
  await make(ours)
  await world.cell(cellId, { state })
  for (let again = 0; again < 3; again += 1) {
    await round()
    world.clock.pass(graceMs)
  }
  expect(await left()).toEqual(all)
  expect(await world.sightings()).toEqual([])
})

test('what another installation made on the same server stays, whatever our rows say', async () => {
  await make(theirs)
  await world.cell(cellId, { state: 'deleted' })
  for (let again = 0; again < 3; again += 1) {
    await round()
    world.clock.pass(graceMs)
  }
  expect(await left()).toEqual(all)
  await expect(dropCellDatabases({ adminUrl, installation: ours }, cellId)).rejects.toThrow('another installation')
  const options = { adminUrl, sqlTool: '/does/not/exist', installation: ours }
  await expect(createCellDatabases(options, cellId, 'password')).rejects.toThrow('another installation')
  expect(await left()).toEqual(all)
})

test('a mark of another installation on one of the databases is enough', async () => {
  await make(ours)
  await mark(server, { kind: 'database', name: `${name}_visibility` }, theirs)
  await world.cell(cellId, { state: 'deleted' })
  await round()
  world.clock.pass(graceMs)
  await round()
  expect(await left()).toEqual(all)
})

test('what is marked as ours and has no row stays, as a stranger', async () => {
  await make(ours)
  await round()
  world.clock.pass(graceMs)
  await round()
  expect(await left()).toEqual(all)
  expect(await world.sightings()).toEqual([`database ${name} (stranger)`])
})

test('without a mark and without a row it is not even looked at', async () => {
  await make(undefined)
  await round()
  expect(await world.sightings()).toEqual([])
})

test('unmarked databases of a living cell are marked, and go once it is deleted', async () => {
  await make(undefined)
  await world.cell(cellId)
  await round()
  await world.admin.query("update cells set state = 'deleted'")
  await round()
  world.clock.pass(graceMs)
  expect(await round()).toBe(1)
  expect(await left()).toEqual([])
})

test('unmarked databases of a deleted cell stay', async () => {
  await make(undefined)
  await world.cell(cellId, { state: 'deleted' })
  await round()
  world.clock.pass(graceMs)
  await round()
  expect(await left()).toEqual(all)
})

test('the row is asked once more under the lock of the cell', async () => {
  await make(ours)
  await world.cell(cellId, { state: 'deleted' })
  await round()
  world.clock.pass(graceMs)
  const outward = async <Result>(_step: string, call: () => Promise<Result>): Promise<Result> => {
    await world.admin.query("update cells set state = 'ready'")
    return call()
  }
  await round({ outward })
  expect(await left()).toEqual(all)
})

test('a server that does not answer costs nothing', async () => {
  await make(ours)
  await world.cell(cellId, { state: 'deleted' })
  await round()
  world.clock.pass(graceMs)
  const away = new URL(adminUrl)
  away.port = '1'
  await expect(round({ adminUrl: away.href })).rejects.toThrow('ECONNREFUSED')
  expect(await left()).toEqual(all)
  expect(await round()).toBe(1)
})

test('a cell may hold so many connections, and no more: the server is also the other cells’', async () => {
  const options = { adminUrl, sqlTool: '/bin/false', installation: ours }
  // Without a tool there is no schema: the role is made before that.
  await expect(createCellDatabases(options, cellId, 'password')).rejects.toThrow('temporal-sql-tool')
  const { rows } = await server.query('select rolconnlimit from pg_roles where rolname = $1', [name])
  expect(rows).toEqual([{ rolconnlimit: 300 }])
})
