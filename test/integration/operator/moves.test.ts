import { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { Listeners } from './listener.ts'

let listeners: Listeners
let admin: Client
beforeAll(async () => {
  listeners = await Listeners.start()
  admin = new Client({ connectionString: listeners.adminUrl })
  await admin.connect()
  await admin.query("insert into tenants (id, name) values ('aaaaa', 'A')")
})
afterAll(async () => {
  await admin.end()
  await listeners.close()
})
beforeEach(async () => {
  await admin.query('truncate moves, nexus_endpoints, namespace_grants, namespaces, nodes, cells cascade')
  const cell = (id: string, region = 'aws-us-east-1', state = 'ready', limit = 3, draining = false) =>
    admin.query(
      `insert into cells (id, region, driver, state, namespace_limit, draining, history_shards, server_version, database_name, database_password_sealed)
       values ($1, $2, 'fake', $3, $4, $5, 64, '1.32.2', $1, 'x')`,
      [id, region, state, limit, draining],
    )
  await cell('cell-a')
  await cell('cell-b')
  await cell('cell-far', 'aws-eu-west-1')
  await cell('cell-full', 'aws-us-east-1', 'ready', 1)
  await cell('cell-going', 'aws-us-east-1', 'deleting')
  await cell('cell-coming', 'aws-us-east-1', 'creating')
  await cell('cell-draining', 'aws-us-east-1', 'ready', 3, true)
  await admin.query('insert into nodes (id, cell_id, driver) values ($1, $2, $3), ($4, $5, $3)', [
    'node-a',
    'cell-a',
    'fake',
    'node-b',
    'cell-b',
  ])
  await namespace('one')
  await namespace('two')
  await namespace('lonely', 'cell-full')
})

const namespace = (name: string, cellId: string | null = 'cell-a', state = 'active') =>
  admin.query(
    `insert into namespaces (id, tenant_id, name, region, spec, created_by, cell_id, state)
     values ($1 || '.aaaaa', 'aaaaa', $1, 'aws-us-east-1', '{}', 'usr-1', $2, $3)`,
    [name, cellId, state],
  )
const move = (name: string, cellId?: string) =>
  listeners.call(`/operator/v1/namespaces/${name}.aaaaa/move`, { body: cellId === undefined ? {} : { cellId } })
const generationOf = async (node: string): Promise<number> =>
  Number((await admin.query('select generation from nodes where id = $1', [node])).rows[0]?.generation)

test('a move begins, is seen, is done once at a time, and is aborted', async () => {
  const begun = await move('one', 'cell-b')
  expect(begun).toMatchObject({
    status: 200,
    body: { namespaceId: 'one.aaaaa', sourceCellId: 'cell-a', targetCellId: 'cell-b', state: 'connecting' },
  })
  const { id } = begun.body
  expect((await listeners.call(`/operator/v1/moves/${id}`)).body).toEqual(begun.body)
  expect((await listeners.call('/operator/v1/moves')).body.moves).toEqual([begun.body])
  const again = await move('one', 'cell-b')
  expect(again).toMatchObject({ status: 400 })
  expect(again.body.message).toContain(id)
  expect(listeners.logged).toContain(id)
  const abort = { body: { reason: 'a mistake' } }
  expect(await listeners.call(`/operator/v1/moves/${id}/abort`, abort)).toMatchObject({
    status: 200,
    body: { abortReason: 'a mistake' },
  })
  // It takes effect if the hand-over is taken back: that may happen again and again.
  await admin.query("update moves set state = 'handing_over'")
  expect(await listeners.call(`/operator/v1/moves/${id}/abort`, abort)).toMatchObject({ status: 200 })
  await admin.query("update moves set state = 'switching'")
  expect(await listeners.call(`/operator/v1/moves/${id}/abort`, abort)).toMatchObject({ status: 400 })
})

test('the nodes of both cells get new manifests with the first move of the two, and not with the next', async () => {
  await move('one', 'cell-b')
  expect([await generationOf('node-a'), await generationOf('node-b')]).toEqual([2, 2])
  await move('two', 'cell-b')
  expect([await generationOf('node-a'), await generationOf('node-b')]).toEqual([2, 2])
  await admin.query("update moves set finished_at = now(), state = 'done' where namespace_id = 'one.aaaaa'")
  expect(await generationOf('node-a')).toBe(2)
  await admin.query("update moves set finished_at = now(), state = 'done' where namespace_id = 'two.aaaaa'")
  expect([await generationOf('node-a'), await generationOf('node-b')]).toEqual([3, 3])
})

test.each([
  ['of another region', 'cell-far'],
  ['that is full', 'cell-full'],
  ['that is being deleted', 'cell-going'],
  ['that is coming up', 'cell-coming'],
  ['that is being drained', 'cell-draining'],
  ['that it is on', 'cell-a'],
  ['that is not there', 'cell-none'],
])('a move to a cell %s is refused', async (_, cellId) => {
  const refused = await move('one', cellId)
  expect(refused).toMatchObject({ status: 400 })
  expect(refused.body.message).toContain(cellId)
  expect((await admin.query('select from moves')).rowCount).toBe(0)
})

test('a cell fills up with those on their way to it, too', async () => {
  await admin.query("update cells set namespace_limit = 1 where id = 'cell-b'")
  expect((await move('one', 'cell-b')).status).toBe(200)
  expect((await move('two', 'cell-b')).body.message).toContain('full')
})

test('what is under way, deleted, placed nowhere, of an old cell or bound by a Nexus endpoint stays', async () => {
  await namespace('busy', 'cell-a', 'updating')
  await namespace('going', 'cell-a', 'deleting')
  await namespace('gone', 'cell-a', 'deleted')
  await namespace('new', null, 'activating')
  for (const name of ['busy', 'going', 'new']) expect((await move(name, 'cell-b')).status, name).toBe(400)
  for (const name of ['gone', 'never']) expect((await move(name, 'cell-b')).status, name).toBe(404)
  await admin.query(
    `insert into nexus_endpoints (id, tenant_id, name, description, target_namespace_id, target_task_queue, allowed_namespace_ids, created_by)
     values ('nexus-1', 'aaaaa', 'payments', '', 'one.aaaaa', 'q', '{two.aaaaa}', 'usr-1')`,
  )
  expect((await move('one', 'cell-b')).body.message).toContain('payments')
  expect((await move('two', 'cell-b')).body.message).toContain('payments')
  await admin.query("update cells set legacy_cluster_name = 'active' where id = 'cell-b'")
  await admin.query('truncate nexus_endpoints cascade')
  expect((await move('one', 'cell-b')).body.message).toContain('was made before cells could replicate')
})

test('a namespace of a suspended tenant can be moved: it is the operator’s to say where it is', async () => {
  await admin.query("update tenants set state = 'suspended'")
  expect((await move('one', 'cell-b')).status).toBe(200)
  await admin.query("update tenants set state = 'active'")
})

test('two that move one namespace at once make one move', async () => {
  const answers = await Promise.all([move('one', 'cell-b'), move('one', 'cell-b'), move('one')])
  expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 400, 400])
  expect((await admin.query('select from moves')).rowCount).toBe(1)
})

test('evacuating drains a cell and begins a move of everything on it that can move', async () => {
  await namespace('busy', 'cell-a', 'updating')
  await move('one', 'cell-b')
  const { status, body } = await listeners.call('/operator/v1/cells/cell-a/evacuate', { method: 'POST' })
  expect(status).toBe(200)
  expect(
    body.moves.map((one: { namespaceId: string; targetCellId: string }) => [one.namespaceId, one.targetCellId]),
  ).toEqual([['two.aaaaa', 'cell-b']])
  expect(body.refused).toMatchObject([{ namespaceId: 'busy.aaaaa' }])
  expect((await listeners.call('/operator/v1/cells/cell-a')).body.draining).toBe(true)
  const retired = await listeners.call('/operator/v1/cells/cell-a/retire', { method: 'POST' })
  expect(retired.status).toBe(400)
  expect((await listeners.call('/operator/v1/cells/cell-none/evacuate', { method: 'POST' })).status).toBe(404)
})

test('who is no operator, or not an admin, moves nothing', async () => {
  expect((await listeners.anybody('/operator/v1/namespaces/one.aaaaa/move', {})).status).toBe(404)
  for (const role of ['viewer', 'support'] as const) {
    const identity = await listeners.operator(`some-${role}`, { role })
    expect((await listeners.call('/operator/v1/namespaces/one.aaaaa/move', { body: {}, identity })).status).toBe(403)
  }
  expect((await admin.query('select from moves')).rowCount).toBe(0)
})
