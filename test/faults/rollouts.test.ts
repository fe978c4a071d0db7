import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemActor } from '#libs/authz'
import { type NodeTemplate, templateHash } from '#libs/domain/nodes'
import type { EdgeAccess, EdgeAnswer } from '../../apps/provisioner/reconcilers/namespaces/edge-access.ts'
import { ProbedCellHealth } from '../../apps/provisioner/reconcilers/rollouts/probed-cell-health.ts'
import { createTestDatabase, type TestDatabase } from '../harness/postgres.ts'
import { SmallWorld } from './small-world.ts'

const before: NodeTemplate = { serverVersion: '1.32.2' }
const next: NodeTemplate = { serverVersion: '1.33.0' }
const nextImage: NodeTemplate = { serverVersion: '1.32.2', image: 'ami-2' }

let testDatabase: TestDatabase
let admin: Client
let world: SmallWorld
/** By id. */
let cells: readonly string[]

beforeEach(async () => {
  testDatabase = await createTestDatabase()
  admin = new Client({ connectionString: testDatabase.adminUrl })
  await admin.connect()
  await admin.query("insert into tenants (id, name) values ('abcde', 'Example')")
})
afterEach(async () => {
  await world.database.close()
  await admin.end()
  await testDatabase.drop()
})

/** Cells of one size, two namespaces each but the last one, which has one: the canary, if nobody names another one. */
async function makeCells(cellSize: 'dev' | 'small', count: number): Promise<void> {
  world = new SmallWorld(testDatabase, { cellSize })
  for (let index = 0; index < 2 * count - 1; index += 1) {
    await admin.query(
      `insert into namespaces (id, tenant_id, name, region, spec, created_by)
       values ($1, 'abcde', $2, 'aws-us-east-1', $3, 'usr-1')`,
      [`n${index}.abcde`, `n${index}`, { name: `n${index}`, regions: ['aws-us-east-1'], retentionDays: 3 }],
    )
  }
  await world.settle()
  cells = await ids("select id from cells where state = 'ready' order by id")
  expect(cells).toHaveLength(count)
}

async function ids(sql: string, values: readonly unknown[] = []): Promise<readonly string[]> {
  return (await admin.query<{ id: string }>(sql, [...values])).rows.map(({ id }) => id)
}

async function begin(target: NodeTemplate, more: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const rollout = {
    id: 'roll-1',
    canary_cell_id: cells[0],
    soak_seconds: 30,
    node_seconds: 600,
    unwell_seconds: 20,
    ...more,
  }
  await admin.query(
    `insert into rollouts (id, region, target, canary_cell_id, cells_at_once, soak_seconds, node_seconds, unwell_seconds, created_by)
     values ($1, 'aws-us-east-1', $2, $3, 1, $4, $5, $6, 'ada')`,
    [rollout.id, target, rollout.canary_cell_id, rollout.soak_seconds, rollout.node_seconds, rollout.unwell_seconds],
  )
  await admin.query(
    'insert into rollout_cells (rollout_id, cell_id, previous, since) select $1, id, node_template, $2 from cells',
    [rollout.id, world.now],
  )
  return rollout.id
}

interface Seen {
  readonly state: string
  readonly reason: string
  /** Of each cell, in the order of `cells`. */
  readonly progress: readonly string[]
  readonly templates: readonly NodeTemplate[]
}

async function look(id: string): Promise<Seen> {
  const { rows } = await admin.query('select state, reason from rollouts where id = $1', [id])
  const { rows: each } = await admin.query(
    'select progress, node_template from rollout_cells join cells on cells.id = cell_id where rollout_id = $1 order by cell_id',
    [id],
  )
  return {
    ...rows[0],
    progress: each.map(({ progress }) => progress),
    templates: each.map(({ node_template }) => node_template),
  }
}

/** Live nodes: which template, of which cell. */
async function nodesOf(cellId: string): Promise<readonly { id: string; state: string; template: NodeTemplate }[]> {
  const { rows } = await admin.query(
    "select id, state, template from nodes where cell_id = $1 and state <> 'deleted' order by id",
    [cellId],
  )
  return rows
}

/** What has to hold at every moment, whatever happens. */
async function expectSafety(id: string, size: number): Promise<void> {
  const { state, progress, templates } = await look(id)
  if (state === 'canary') expect(progress.slice(1).filter((one) => one !== 'waiting')).toEqual([])
  expect(progress.slice(1).filter((one) => one === 'changing').length).toBeLessThanOrEqual(1)
  for (const [index, cellId] of cells.entries()) {
    const nodes = await nodesOf(cellId)
    expect(nodes.length).toBeLessThanOrEqual(size + 1)
    if (progress[index] === 'waiting') expect(templates[index]).toEqual(before)
  }
  // No server of a version is launched before its schema is there.
  const { rows: early } = await admin.query(
    `select n.id from nodes n join cells c on c.id = n.cell_id
     where n.launch_permitted_at is not null and n.state <> 'deleted' and n.template->>'serverVersion' = '1.33.0'
       and coalesce(c.databases_observed->>'schemaVersion', '') not like '1.33.0 %'`,
  )
  expect(early).toEqual([])
}

async function round(id: string): Promise<void> {
  // Rounds take seconds of the world's clock and none of Postgres', by which a permit to launch counts for a minute.
  await admin.query("update nodes set launch_permitted_at = now() - interval '2 minutes' where state = 'deleted'")
  await world.passRollout(id)
  for (const cellId of await ids("select id from cells where state <> 'deleted' order by id"))
    await world.passCell(cellId)
  for (const nodeId of await ids("select id from nodes where state <> 'deleted' order by id"))
    await world.passNode(nodeId)
}

/** Rounds until the rollout is in one of these states; `each` comes after each round. */
async function until(
  id: string,
  reached: (seen: Seen) => boolean,
  { size, each }: { readonly size: number; readonly each?: () => Promise<void> },
): Promise<Seen> {
  for (let rounds = 0; rounds < 250; rounds += 1) {
    await round(id)
    await each?.()
    await expectSafety(id, size)
    const seen = await look(id)
    if (reached(seen)) return seen
  }
  throw new Error(`not reached: ${JSON.stringify(await look(id))} after ${world.steps.slice(-20).join(' ')}`)
}

const ended = ({ state }: Seen) => state === 'done' || state === 'rolled_back'

/** The machines that there are are those of the rows, of the template that the cell is to have, one in each slot. */
async function expectWorld(template: NodeTemplate, size: number): Promise<void> {
  const all = (await Promise.all(cells.map(nodesOf))).flat()
  expect(all.map(({ state, template: made }) => `${state} ${templateHash(made)}`)).toEqual(
    Array.from({ length: cells.length * size }, () => `ready ${templateHash(template)}`),
  )
  expect((await world.driver.list()).map(({ nodeId }) => nodeId).sort()).toEqual(all.map((node) => node.id).sort())
}

describe('a new release', () => {
  test('goes to the canary first, with its schema before its servers, and to the others one by one after the soak', async () => {
    await makeCells('small', 2)
    const id = await begin(next)
    let soakingSince: number | undefined
    let soaked: number | undefined
    const order: string[] = []
    await until(id, ended, {
      size: 3,
      each: async () => {
        const { state, progress } = await look(id)
        if (progress[0] === 'soaking') soakingSince ??= world.now.getTime()
        if (state === 'rolling') soaked ??= world.now.getTime()
        for (const [index, one] of progress.entries()) {
          if (one !== 'waiting' && !order.includes(String(index))) order.push(String(index))
        }
      },
    })
    expect(await look(id)).toMatchObject({ state: 'done', reason: '', progress: ['done', 'done'] })
    expect((soaked ?? 0) - (soakingSince ?? 0)).toBeGreaterThanOrEqual(28_000)
    expect(order).toEqual(['0', '1'])
    expect(world.counted).toEqual(['done'])
    await expectWorld(next, 3)
    const [node] = await world.driver.list()
    const [temporal] = world.driver.manifest(node?.nodeId ?? '')?.processes ?? []
    expect(temporal?.command).toBe('/bin/next/temporal-server')
    // Whatever comes after it begins with what it left.
    await admin.query('update cells set draining = true')
    await admin.query(
      `insert into namespaces (id, tenant_id, name, region, spec, created_by)
       values ('late.abcde', 'abcde', 'late', 'aws-us-east-1', '{"name": "late", "regions": ["aws-us-east-1"], "retentionDays": 3}', 'usr-1')`,
    )
    await world.settle()
    expect(await ids("select node_template->>'serverVersion' as id from cells where not draining")).toEqual(['1.33.0'])
  })

  test('takes in cells that come up meanwhile', async () => {
    await makeCells('dev', 2)
    const id = await begin(nextImage, { soak_seconds: 0 })
    await until(id, ({ state }) => state === 'rolling', { size: 1 })
    await admin.query(
      `insert into cells (id, region, driver, namespace_limit, history_shards, server_version, database_name, database_password_sealed)
       select 'cell-zz', region, driver, namespace_limit, history_shards, server_version, 'cell_zz', database_password_sealed
       from cells limit 1`,
    )
    await admin.query("update cells set state = 'ready' where id = 'cell-zz'")
    const seen = await until(id, ended, { size: 1 })
    expect(seen).toMatchObject({ state: 'done', templates: [nextImage, nextImage, nextImage] })
  })
})

describe('a release that is bad', () => {
  /** The canary had it and has not any more, and nobody else ever had it. */
  async function expectRolledBack(reason: RegExp, size: number, others: readonly string[]): Promise<void> {
    const seen = await look('roll-1')
    expect(seen).toMatchObject({ state: 'rolled_back', templates: cells.map(() => before) })
    expect(seen.reason).toMatch(reason)
    expect(seen.progress).toEqual(['reverted', ...cells.slice(1).map(() => 'waiting')])
    expect(world.counted).toEqual(['turned_back', 'rolled_back'])
    await expectWorld(before, size)
    expect(await othersNodes()).toEqual(others)
  }

  const othersNodes = async () => (await Promise.all(cells.slice(1).map(nodesOf))).flat().map((node) => node.id)
  const isBad = (template: NodeTemplate) => templateHash(template) === templateHash(nextImage)

  test('(a) its nodes never get ready', async () => {
    await makeCells('dev', 2)
    const [others, id] = [await othersNodes(), await begin(nextImage)]
    const fail = async () => {
      for (const node of await nodesOf(cells[0] ?? '')) {
        if (isBad(node.template) && world.driver.manifest(node.id) !== undefined)
          world.driver.setState(node.id, 'failed', 'exits')
      }
    }
    await until(id, ended, { size: 1, each: fail })
    await expectRolledBack(/new nodes ended/, 1, others)
  })

  test('(b) the cell stops to answer while it soaks', async () => {
    await makeCells('small', 2)
    const [others, id] = [await othersNodes(), await begin(nextImage)]
    const changed = async () => (await look(id)).progress[0] === 'soaking'
    let broken = false
    world.health = {
      ask: async ({ target }) => {
        const { templates } = await look(id)
        const isNew = templates[cells.indexOf(target.cellId)]?.image === 'ami-2'
        return broken && isNew ? 'its edges: no answer' : undefined
      },
    }
    const breakIt = async () => {
      broken ||= await changed()
    }
    await until(id, ended, { size: 3, each: breakIt })
    await expectRolledBack(/does not work for \d+ s: .*its edges: no answer/, 3, others)
  })

  test('(c) there is no machine for it', async () => {
    await makeCells('dev', 2)
    const [others, id] = [await othersNodes(), await begin(nextImage)]
    world.driver.setCapacity(2)
    await until(id, ended, { size: 1 })
    await expectRolledBack(/fails again and again: no machine is left/, 1, others)
  })

  /** As the provisioner itself asks, of a cell and edges that say what the test wants. */
  function asked(edge: () => EdgeAnswer<{ readonly kind: 'serving'; readonly generation: number }>): ProbedCellHealth {
    const access: EdgeAccess = {
      ensureCertificate: async () => undefined,
      awaitServing: async () => edge(),
      awaitAbsence: async () => ({ kind: 'absent' }),
    }
    return new ProbedCellHealth({ database: world.database, cellClient: async () => world.cell, edge: access })
  }

  test('(d) its image holds another version than was named', async () => {
    await makeCells('dev', 2)
    const [others, id] = [await othersNodes(), await begin(next)]
    world.health = asked(() => ({ kind: 'serving', generation: 1 }))
    world.cell.serverVersion = '1.32.2'
    await until(id, ended, { size: 1 })
    await expectRolledBack(/servers report version 1\.32\.2 and not 1\.33\.0/, 1, others)
  })

  test('(e) its edges refuse, or its services behind the frontend are silent', async () => {
    await makeCells('dev', 2)
    const [others, id] = [await othersNodes(), await begin(next)]
    const isNew = async () => (await look(id)).templates[0]?.serverVersion === '1.33.0'
    let changed = false
    world.health = asked(() => (changed ? { kind: 'not_yet', detail: 'refused' } : { kind: 'serving', generation: 1 }))
    const follow = async () => {
      changed = await isNew()
      world.cell.serverVersion = changed ? '1.33.0' : '1.32.2'
    }
    await until(id, ended, { size: 1, each: follow })
    await expectRolledBack(/its edges: refused/, 1, others)
    world.cell.failNext('probe', 'unavailable')
    const mayRead = systemActor('test').authorize('cell', 'read', { cellId: cells[0] ?? '' })
    expect(await asked(() => ({ kind: 'serving', generation: 1 })).ask(mayRead, undefined)).toMatch(/probe fails/)
  })

  test('a moment of silence is no reason, and the soak begins anew', async () => {
    await makeCells('dev', 1)
    const id = await begin(nextImage)
    let asked = 0
    world.health = { ask: async () => ((asked += 1) === 20 ? 'no answer' : undefined) }
    await until(id, ended, { size: 1 })
    expect(await look(id)).toMatchObject({ state: 'done' })
    expect(await ids('select breaks::text as id from rollout_cells')).toEqual(['1'])
  })

  test('others that changed go back, too', async () => {
    await makeCells('dev', 3)
    const id = await begin(nextImage, { soak_seconds: 0 })
    world.health = {
      ask: async ({ target }) => {
        const index = cells.indexOf(target.cellId)
        const { templates } = await look(id)
        return index === 2 && templates[2]?.image === 'ami-2' ? 'history is gone' : undefined
      },
    }
    await until(id, ended, { size: 1 })
    expect(await look(id)).toMatchObject({ state: 'rolled_back', progress: ['reverted', 'reverted', 'reverted'] })
    await expectWorld(before, 1)
  })
})

describe('an operator', () => {
  test('pauses and resumes: nothing begins meanwhile, and what took long is not held against anybody', async () => {
    await makeCells('dev', 2)
    const id = await begin(nextImage, { soak_seconds: 0 })
    await until(id, ({ progress }) => progress[0] === 'changing', { size: 1 })
    await admin.query("update rollouts set state = 'halted', generation = generation + 1")
    for (let rounds = 0; rounds < 20; rounds += 1) await round(id)
    expect(await look(id)).toMatchObject({ state: 'halted', progress: ['changing', 'waiting'] })
    await admin.query("update rollouts set state = 'canary', generation = generation + 1")
    await until(id, ended, { size: 1 })
    await expectWorld(nextImage, 1)
  })

  test('changes it while a pass looks: the pass writes nothing any more', async () => {
    await makeCells('dev', 2)
    const id = await begin(nextImage)
    await until(id, ({ progress }) => progress[0] === 'changing', { size: 1 })
    let release: () => void = () => undefined
    let isAsked: () => void = () => undefined
    const asked = new Promise<void>((resolve) => {
      isAsked = resolve
    })
    world.health = {
      ask: async () => {
        isAsked()
        await new Promise<void>((resolve) => {
          release = resolve
        })
        return undefined
      },
    }
    const late = world.passRollout(id)
    await asked
    await admin.query("update rollouts set state = 'rolling_back', reason = 'no', generation = generation + 1")
    const between = await look(id)
    release()
    await late
    expect(await look(id)).toEqual(between)
    world.health = { ask: async () => undefined }
    await until(id, ended, { size: 1 })
    expect(await look(id)).toMatchObject({ state: 'rolled_back', reason: 'no', templates: [before, before] })
    await expectWorld(before, 1)
  })
})

test('two provisioners on one rollout do what one does', async () => {
  await makeCells('dev', 2)
  const other = new SmallWorld(testDatabase, { cellSize: 'dev' })
  try {
    const id = await begin(nextImage, { soak_seconds: 0 })
    const both = async () => void (await Promise.all([other.passRollout(id), world.passRollout(id)]))
    await until(id, ended, { size: 1, each: both })
    expect([...world.counted, ...other.counted]).toEqual(['done'])
    await expectWorld(nextImage, 1)
  } finally {
    await other.database.close()
  }
})

const steps = ['ask-cell', 'create-databases', 'launch-node', 'configure-node', 'expose-node', 'delete-node'] as const
describe('a provisioner that is lost before and after each outward call of a rollout', () => {
  test.each(steps.flatMap((step) => [{ step, when: 'before' } as const, { step, when: 'after' } as const]))(
    'rolls all the same: $when $step',
    async (loss) => {
      await makeCells('dev', 1)
      const id = await begin(next, { soak_seconds: 0 })
      world.loss = loss
      await until(id, ended, { size: 1 })
      expect(world.loss).toBeUndefined()
      expect(await look(id)).toMatchObject({ state: 'done' })
      await expectWorld(next, 1)
    },
  )
})
