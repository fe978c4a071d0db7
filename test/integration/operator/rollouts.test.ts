import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { Listeners } from './listener.ts'

let listeners: Listeners
let admin: Client
const api = '/operator/v1'
const region = 'aws-us-east-1'

beforeAll(async () => {
  listeners = await Listeners.start()
  admin = new Client({ connectionString: listeners.adminUrl })
  await admin.connect()
  await admin.query("insert into tenants (id, name) values ('abcde', 'Example')")
})
afterAll(async () => {
  await admin.end()
  await listeners.close()
})
afterEach(async () => {
  for (const table of ['moves', 'rollout_cells', 'rollouts', 'nodes', 'namespaces', 'cells'])
    await admin.query(`delete from ${table}`)
})

async function cell(id: string, state = 'ready', version = '1.32.2'): Promise<void> {
  await admin.query(
    `insert into cells (id, region, driver, state, namespace_limit, history_shards, server_version, database_name,
       database_password_sealed, node_template) values ($1, $2, 'fake', $3, 10, 64, $4, $1, '', $5)`,
    [id, region, state, version, { serverVersion: version }],
  )
}

async function namespaceOn(cellId: string, name: string, state = 'active'): Promise<void> {
  await admin.query(
    `insert into namespaces (id, tenant_id, name, region, spec, created_by, cell_id, state)
     values ($1, 'abcde', $2, $3, '{}', 'usr-1', $4, $5)`,
    [`${name}.abcde`, name, region, cellId, state],
  )
}

async function jobs(): Promise<readonly string[]> {
  const { rows } = await admin.query('select key from graphile_worker.jobs order by key')
  return rows.map(({ key }) => key)
}

test('a rollout takes what is not named from the settings, and the least full ready cell as its canary', async () => {
  for (const id of ['cell-a', 'cell-b']) await cell(id)
  await cell('cell-c', 'creating')
  await namespaceOn('cell-a', 'one')
  const begun = await listeners.call(`${api}/rollouts`, { body: { region, serverVersion: '1.33.0', soakSeconds: 5 } })
  expect(begun).toMatchObject({
    status: 200,
    body: {
      region,
      state: 'canary',
      canaryCellId: 'cell-b',
      target: { serverVersion: '1.33.0', image: 'ami-1', instanceTypes: { default: ['m7g.large'] } },
      cellsAtOnce: 1,
      soakSeconds: 5,
      nodeSeconds: 1200,
      unwellSeconds: 60,
      createdBy: 'ada',
      cells: ['cell-a', 'cell-b', 'cell-c'].map((cellId) => ({
        cellId,
        progress: 'waiting',
        previous: { serverVersion: '1.32.2' },
      })),
    },
  })
  expect(await jobs()).toContain(`reconcile-rollout:${begun.body.id}`)
  // Nothing of the cells has changed yet: that is for the provisioner.
  expect((await listeners.call(`${api}/cells/cell-b`)).body).toMatchObject({ template: { serverVersion: '1.32.2' } })
  const listed = await listeners.call(`${api}/rollouts`)
  expect(listed.body.rollouts.map(({ id }: { id: string }) => id)).toEqual([begun.body.id])
  const shown = await listeners.call(`${api}/regions/${region}`)
  expect(shown.body).toMatchObject({
    rolloutId: begun.body.id,
    temporalVersions: ['1.32.2', '1.33.0', '1.34.0'],
    settings: { serverVersion: '1.32.2', image: 'ami-1' },
    newCells: { serverVersion: '1.32.2', image: 'ami-1' },
    cells: [{ id: 'cell-a', differs: true }, { id: 'cell-b' }, { id: 'cell-c' }],
  })
})

test('asked for again, a rollout is the one that is there; another one has to wait for its end', async () => {
  await cell('cell-a')
  await cell('cell-b')
  const begin = (more: object) => listeners.call(`${api}/rollouts`, { body: { region, ...more } })
  const first = await begin({ image: 'ami-2' })
  expect((await begin({ image: 'ami-2' })).body.id).toBe(first.body.id)
  expect(await begin({ image: 'ami-3' })).toMatchObject({
    status: 400,
    body: { message: expect.stringContaining(first.body.id) },
  })
  expect(await begin({ image: 'ami-2', canaryCellId: 'cell-b' })).toMatchObject({ status: 400 })
  expect((await listeners.call(`${api}/rollouts/${first.body.id}/cancel`, { method: 'POST' })).body).toMatchObject({
    state: 'cancelled',
    reason: 'cancelled by ada',
    endedAt: expect.any(String),
  })
  expect((await begin({ image: 'ami-3', canaryCellId: 'cell-b' })).body).toMatchObject({ canaryCellId: 'cell-b' })
})

test.each([
  ['a region that is not there', { region: 'aws-eu-west-1' }, /region: is not among/],
  ['a version that is not known', { serverVersion: '1.40.0' }, /serverVersion: is not among.*1\.32\.2, 1\.33\.0/],
  [
    'a version that is two minors away',
    { serverVersion: '1.34.0' },
    /cell-a runs Temporal 1\.32\.2.*more than one minor/,
  ],
  ['a canary that is nowhere', { canaryCellId: 'cell-x' }, /canaryCellId: is no cell/],
  ['a canary that is not ready', { canaryCellId: 'cell-b' }, /cell-b is creating/],
  ['what it does not know', { ami: 'ami-2' }, /ami/],
  ['an unknown role', { instanceTypes: { frontends: ['m7g.large'] } }, /frontends/],
  ['no cells at once', { cellsAtOnce: 0 }, /cellsAtOnce/],
  ['an image that is none', { image: '' }, /image/],
])('refuses %s', async (_, more, message) => {
  await cell('cell-a')
  await cell('cell-b', 'creating')
  const refused = await listeners.call(`${api}/rollouts`, { body: { region, ...more } })
  expect(refused.status).toBe(400)
  expect(refused.body.message).toMatch(message)
  expect((await listeners.call(`${api}/rollouts`)).body.rollouts).toEqual([])
})

test('refuses a region without cells, or without one that works', async () => {
  expect((await listeners.call(`${api}/rollouts`, { body: { region } })).body.message).toMatch(/has no cells/)
  await cell('cell-a', 'creating')
  expect((await listeners.call(`${api}/rollouts`, { body: { region } })).body.message).toMatch(/no cell .* is ready/)
})

test('pauses, resumes where it was, goes back, and says no to what no longer makes sense; each change is in the audit log', async () => {
  await cell('cell-a')
  const { body } = await listeners.call(`${api}/rollouts`, { body: { region, image: 'ami-2' } })
  const change = (what: string) => listeners.call(`${api}/rollouts/${body.id}/${what}`, { method: 'POST' })
  expect((await change('pause')).body).toMatchObject({ state: 'halted', reason: 'paused by ada' })
  expect((await change('pause')).body).toMatchObject({ state: 'halted' })
  expect((await change('resume')).body).toMatchObject({ state: 'canary', reason: '' })
  await admin.query("update rollout_cells set progress = 'done'")
  await change('pause')
  expect((await change('resume')).body).toMatchObject({ state: 'rolling' })
  expect((await change('roll-back')).body).toMatchObject({ state: 'rolling_back', reason: 'rolled back by ada' })
  expect(await change('resume')).toMatchObject({
    status: 400,
    body: { message: expect.stringContaining('rolling_back') },
  })
  expect(await change('pause')).toMatchObject({ status: 400 })
  await admin.query("update rollouts set state = 'done', ended_at = now()")
  expect(await change('roll-back')).toMatchObject({
    status: 400,
    body: { message: expect.stringContaining('is done') },
  })
  expect(await listeners.call(`${api}/rollouts/roll-none/pause`, { method: 'POST' })).toMatchObject({ status: 404 })
  const entries = (await listeners.auditEntries()).filter(({ operation }) => operation.includes('/rollouts'))
  expect(entries.filter(({ outcome }) => outcome === 'OK').at(-1)).toMatchObject({
    operation: `POST ${api}/rollouts/:id/roll-back`,
    principal_id: 'ada',
    target: { id: body.id },
  })
})

test('new cells get what the last rollout that was done left, whatever the settings say', async () => {
  await cell('cell-a')
  const begun = await listeners.call(`${api}/rollouts`, { body: { region, serverVersion: '1.33.0', image: 'ami-2' } })
  await admin.query("update rollouts set state = 'done', ended_at = now()")
  const made = await listeners.call(`${api}/cells`, { body: { region } })
  expect(made.body).toMatchObject({
    size: 'small',
    state: 'creating',
    template: begun.body.target,
    serverVersion: '1.33.0',
  })
  expect((await listeners.call(`${api}/regions/${region}`)).body).toMatchObject({
    newCells: { serverVersion: '1.33.0' },
  })
  // What is not named is as the settings say, but for the version: that changes only when it is named.
  await admin.query("update cells set state = 'ready'")
  await admin.query('update cells set node_template = node_template || \'{"image": "ami-1"}\' where id = $1', [
    made.body.id,
  ])
  expect((await listeners.call(`${api}/regions/${region}`)).body).toMatchObject({
    settings: { serverVersion: '1.33.0', image: 'ami-1' },
    cells: expect.arrayContaining([
      expect.objectContaining({ id: 'cell-a', differs: true }),
      expect.objectContaining({ id: made.body.id, differs: false }),
    ]),
  })
  const next = await listeners.call(`${api}/rollouts`, { body: { region } })
  expect(next.body.target).toMatchObject({ serverVersion: '1.33.0', image: 'ami-1' })
})

test('a cell is made once, drained and undrained, and retired only when nothing is left on it', async () => {
  const made = await listeners.call(`${api}/cells`, { body: { region, size: 'dev' } })
  expect(made).toMatchObject({ status: 200, body: { region, size: 'dev', namespaceLimit: 10, draining: false } })
  const { id } = made.body
  expect(await jobs()).toContain(`reconcile-cell:${id}`)
  // The answer was lost, say.
  const again = await listeners.call(`${api}/cells`, { body: { region, size: 'dev' } })
  expect(again).toMatchObject({
    status: 400,
    body: { message: expect.stringContaining(`${id} of ${region} is coming up`) },
  })
  expect(await listeners.call(`${api}/cells`, { body: { region: 'aws-eu-west-1' } })).toMatchObject({ status: 400 })
  expect(await listeners.call(`${api}/cells`, { body: { region, size: 'huge' } })).toMatchObject({
    status: 400,
    body: { message: 'size: must be one of dev, small, standard' },
  })
  expect(await listeners.call(`${api}/cells`, { body: { region, nodes: 3 } })).toMatchObject({ status: 400 })
  await admin.query("update cells set state = 'ready'")
  const change = (what: string) => listeners.call(`${api}/cells/${id}/${what}`, { method: 'POST' })
  for (let twice = 0; twice < 2; twice += 1) expect((await change('drain')).body).toMatchObject({ draining: true })
  expect((await change('undrain')).body).toMatchObject({ draining: false })
  await namespaceOn(id, 'one')
  await namespaceOn(id, 'gone', 'deleted')
  const refused = await change('retire')
  expect(refused).toMatchObject({
    status: 400,
    body: { message: expect.stringContaining(`namespaces are left on the cell ${id}: one.abcde`) },
  })
  expect((await listeners.call(`${api}/cells/${id}`)).body).toMatchObject({ state: 'ready', draining: false })
  await admin.query("update namespaces set state = 'deleted'")
  await cell('cell-b')
  await admin.query(
    `insert into moves (id, namespace_id, source_cell_id, target_cell_id, requested_by) values ('move-1', 'gone.abcde', 'cell-b', $1, 'ada')`,
    [id],
  )
  expect(await change('retire')).toMatchObject({ status: 400, body: { message: expect.stringContaining('move-1') } })
  await admin.query("update moves set state = 'aborted', finished_at = now()")
  for (let twice = 0; twice < 2; twice += 1) {
    expect((await change('retire')).body).toMatchObject({ state: 'deleting', draining: true })
  }
  expect(await change('undrain')).toMatchObject({ status: 400 })
  expect(await listeners.call(`${api}/cells/cell-none/retire`, { method: 'POST' })).toMatchObject({ status: 404 })
})

test('a node is replaced with a reason, which the first one gives', async () => {
  await cell('cell-a')
  await admin.query(
    `insert into nodes (id, cell_id, driver, state, role, slot, machine_id, machine_zone, public_address)
     values ('node-a', 'cell-a', 'fake', 'ready', 'all', 'all-0', 'i-1', 'us-east-1a', '198.51.100.1')`,
  )
  const replace = (reason: unknown) => listeners.call(`${api}/nodes/node-a/replace`, { body: { reason } })
  expect((await replace('slow disk')).body).toMatchObject({ retireReason: 'slow disk', state: 'ready' })
  expect((await replace('again')).body).toMatchObject({ retireReason: 'slow disk' })
  expect(await replace('')).toMatchObject({ status: 400 })
  expect(await listeners.call(`${api}/nodes/node-a/replace`, { method: 'POST' })).toMatchObject({ status: 400 })
  const shown = await listeners.call(`${api}/cells/cell-a`)
  expect(shown.body.nodes).toMatchObject([
    { id: 'node-a', role: 'all', slot: 'all-0', zone: 'us-east-1a', machineId: 'i-1', publicAddress: '198.51.100.1' },
  ])
  expect(await jobs()).toContain('reconcile-cell:cell-a')
  await admin.query("update nodes set state = 'deleting'")
  expect(await replace('late')).toMatchObject({
    status: 400,
    body: { message: expect.stringContaining('is deleting') },
  })
})

test('no cell is made of a version that has left the settings', async () => {
  await cell('cell-a')
  await listeners.call(`${api}/rollouts`, { body: { region, serverVersion: '1.33.0' } })
  await admin.query(
    `update rollouts set state = 'done', ended_at = now(), target = target || '{"serverVersion": "1.33.7"}'`,
  )
  expect(await listeners.call(`${api}/cells`, { body: { region } })).toMatchObject({
    status: 400,
    body: { message: expect.stringContaining('1.33.7, which is not known: name it in AQUEDUCT_TEMPORAL_RELEASES') },
  })
  expect((await listeners.call(`${api}/cells`)).body.cells).toHaveLength(1)
})
