import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Client, Connection } from '@temporalio/client'
import { Client as PostgresClient } from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { aliasesOf, type SearchAttributeType, searchAttributeLimits, withColumns } from '#libs/domain/namespaces'
import { createCellDatabases } from '../../../apps/provisioner/cells/databases.ts'
import { GrpcCellClient } from '../../../apps/provisioner/temporal/grpc-cell-client.ts'
import { postgresAdminUrl } from '../../harness/postgres.ts'
import { toolchain } from '../../harness/toolchain.ts'
import { type CellUnderTest, cellToken, prepareCell } from './cell-under-test.ts'

/** A real server, with the columns that we add for search attributes, and limits that it reads while it runs. */

let cell: CellUnderTest
let admin: GrpcCellClient
let connection: Connection

const ready = (generation: number): Promise<void> =>
  vi.waitFor(
    async () => expect(await cell.driver.get(cell.nodeId)).toMatchObject({ state: 'ready', generation, detail: '' }),
    { timeout: 25_000, interval: 20 },
  )

beforeAll(async () => {
  const namespaceLimits = { 'slow.a1b2c': { requestsPerSecond: 5, visibilityRequestsPerSecond: 1, fairness: true } }
  cell = await prepareCell({ namespaceLimits })
  await cell.driver.configure(cell.manifest(1))
  await ready(1)
  const token = () => cellToken(cell.signingKey, ['temporal-system:admin'])
  admin = new GrpcCellClient({ target: cell.frontend, token })
  await vi.waitFor(() => admin.health(), { timeout: 20_000, interval: 20 })
  connection = await Connection.connect({
    address: cell.frontend,
    metadata: { authorization: `Bearer ${await token()}` },
    // The SDK's own would repeat what is refused for its rate.
    interceptors: [],
  })
}, 60_000)

afterAll(async () => {
  await connection?.close()
  admin?.close()
  await cell?.dispose()
})

async function newNamespace(name: string): Promise<Client> {
  await admin.registerNamespace({ name, retentionDays: 1, description: '', data: {} })
  return new Client({ connection, namespace: name })
}

async function found(client: Client, query: string): Promise<string[]> {
  const ids: string[] = []
  for await (const workflow of client.workflow.list({ query })) ids.push(workflow.workflowId)
  return ids
}

const samples: Readonly<
  Record<SearchAttributeType, { readonly value: unknown; readonly query: (name: string) => string }>
> = {
  Bool: { value: true, query: (name) => `${name} = true` },
  Datetime: { value: new Date('2026-01-02T03:04:05Z'), query: (name) => `${name} = '2026-01-02T03:04:05Z'` },
  Double: { value: 1.5, query: (name) => `${name} > 1.2` },
  Int: { value: 42, query: (name) => `${name} BETWEEN 41 AND 43` },
  Keyword: { value: 'key', query: (name) => `${name} = 'key'` },
  KeywordList: { value: 'one', query: (name) => `${name} = 'one'` },
  Text: { value: 'some words here', query: (name) => `${name} = 'words'` },
}
const types = Object.keys(searchAttributeLimits) as SearchAttributeType[]

/** As the cell's own role. */
async function connected(database: string): Promise<PostgresClient> {
  const { host, port, user, password } = cell.input.database
  const pg = new PostgresClient({ host, port, user, password, database })
  await pg.connect()
  return pg
}

test('as many attributes of every type as the limits say are written and found, by the last of them too', async () => {
  const client = await newNamespace('wide.a1b2c')
  const wanted = types.flatMap((type) =>
    Array.from({ length: searchAttributeLimits[type] }, (_, n) => [`${type} number ${n + 1}`, type] as const),
  )
  await admin.updateNamespace('wide.a1b2c', { aliases: aliasesOf(withColumns({}, Object.fromEntries(wanted))) })
  const all = Object.fromEntries(wanted.map(([name, type]) => [name, [samples[type].value]]))
  await vi.waitFor(
    () =>
      client.workflow.start('nothing', {
        workflowId: 'all',
        taskQueue: 'none',
        // biome-ignore lint/suspicious/noExplicitAny: values of seven types in one map.
        searchAttributes: all as any,
      }),
    { timeout: 10_000, interval: 200 },
  )
  await client.workflow.start('nothing', { workflowId: 'bare', taskQueue: 'none' })
  for (const type of types) {
    const last = `\`${type} number ${searchAttributeLimits[type]}\``
    const query = samples[type].query(last)
    await vi.waitFor(async () => expect(await found(client, query), query).toEqual(['all']), {
      timeout: 10_000,
      interval: 100,
    })
  }
}, 60_000)

test('a query by one of the added columns uses its index', async () => {
  const pg = await connected(cell.input.database.visibilityName)
  try {
    const { rows: indexes } = await pg.query(
      "select count(*)::int as count from pg_indexes where indexname like 'aqueduct_by_%'",
    )
    expect(indexes[0]).toEqual({ count: 130 - 28 })
    await pg.query('set enable_seqscan = off')
    const { rows } = await pg.query(
      `explain select run_id from executions_visibility where namespace_id = 'n' and Keyword40 = 'key'
       order by (coalesce(close_time, '9999-12-31 23:59:59')) desc, start_time desc, run_id limit 10`,
    )
    expect(JSON.stringify(rows)).toContain('aqueduct_by_keyword40')
  } finally {
    await pg.end()
  }
})

test('a cell that lacks columns gets them while its server runs, and what workflows have stored is in them', async () => {
  const options = { adminUrl: postgresAdminUrl(), sqlTool: toolchain().temporalSqlTool, installation: 'test' }
  const pg = await connected(cell.input.database.visibilityName)
  const columns = async () =>
    (
      await pg.query(
        "select attname from pg_attribute where attrelid = 'executions_visibility'::regclass and attnum > 0",
      )
    ).rows
      .map((row) => row.attname)
      .filter((name) => !name.startsWith('...'))
      .toSorted()
  try {
    const before = await columns()
    await pg.query('alter table executions_visibility drop column Keyword40, drop column Text05')
    expect((await columns()).length).toBe(before.length - 2)
    for (const _ of ['made', 'made already']) {
      await createCellDatabases(options, cell.cellId, 'it-is-only-a-test')
      expect(await columns()).toEqual(before)
    }
    const { rows } = await pg.query("select keyword40 as value from executions_visibility where workflow_id = 'all'")
    expect(rows).toEqual([{ value: 'key' }])
  } finally {
    await pg.end()
  }
})

test('a renamed attribute keeps what workflows have stored, and its old name can be given again', async () => {
  const client = await newNamespace('renamed.a1b2c')
  const start = (workflowId: string, searchAttributes: Record<string, string[]>) =>
    client.workflow.start('nothing', { workflowId, taskQueue: 'none', searchAttributes })
  await admin.updateNamespace('renamed.a1b2c', { aliases: { Keyword01: 'Customer' } })
  await vi.waitFor(() => start('before', { Customer: ['acme'] }), { timeout: 10_000, interval: 200 })
  await vi.waitFor(async () => expect(await found(client, "Customer = 'acme'")).toEqual(['before']), {
    timeout: 10_000,
    interval: 100,
  })
  // The server gives a column that has a name no other.
  await expect(admin.updateNamespace('renamed.a1b2c', { aliases: { Keyword01: 'Buyer' } })).rejects.toMatchObject({
    kind: 'invalid',
  })
  await admin.updateNamespace('renamed.a1b2c', { aliases: { Keyword01: '' } })
  await admin.updateNamespace('renamed.a1b2c', { aliases: { Keyword01: 'Buyer', Keyword02: 'Customer' } })
  await vi.waitFor(async () => expect(await found(client, "Buyer = 'acme'")).toEqual(['before']), {
    timeout: 10_000,
    interval: 100,
  })
  await start('after', { Customer: ['acme'] })
  await vi.waitFor(async () => expect(await found(client, "Customer = 'acme'")).toEqual(['after']), {
    timeout: 10_000,
    interval: 100,
  })
}, 60_000)

test('task queues are fair in the namespace that asked for it alone', async () => {
  const pg = await connected(cell.input.database.name)
  /** A fair queue keeps its tasks in tables of its own. */
  const tasks = async (table: string, taskQueue: string) =>
    (await pg.query(`select 1 from ${table} where position($1::bytea in task_queue_id) > 0`, [Buffer.from(taskQueue)]))
      .rowCount
  try {
    for (const [name, fair, plain] of [
      ['slow.a1b2c', 'tasks_v2', 'tasks'],
      ['plain.a1b2c', 'tasks', 'tasks_v2'],
    ] as const) {
      const client = await newNamespace(name)
      const taskQueue = `queue-of-${name}`
      await client.workflow.start('nothing', { workflowId: 'waits', taskQueue })
      await vi.waitFor(async () => expect(await tasks(fair, taskQueue), `${fair} of ${name}`).toBeGreaterThan(0), {
        timeout: 10_000,
        interval: 100,
      })
      expect(await tasks(plain, taskQueue), `${plain} of ${name}`).toBe(0)
    }
  } finally {
    await pg.end()
  }
}, 30_000)

test('limits act on the namespace that has them alone, and new ones are read without a restart', async () => {
  const slow = new Client({ connection, namespace: 'slow.a1b2c' })
  const free = await newNamespace('free.a1b2c')
  const refusals = async (client: Client, calls: number): Promise<number> => {
    const { workflowService } = connection
    const { namespace } = client.options
    const answers = await Promise.allSettled(
      Array.from({ length: calls }, () => workflowService.countWorkflowExecutions({ namespace })),
    )
    return answers.filter((answer) => answer.status === 'rejected' && answer.reason.code === 8).length
  }
  expect(await refusals(slow, 10)).toBeGreaterThan(5)
  expect(await refusals(free, 10)).toBe(0)
  const dynamic = JSON.parse(await readFile(join(cell.dir, 'config/dynamic.json'), 'utf8'))
  expect(dynamic['matching.enableFairness']).toEqual([{ value: true, constraints: { namespace: 'slow.a1b2c' } }])
  const pid = await readFile(join(cell.dir, 'run/temporal.pid'), 'utf8')
  const states: string[] = []
  await cell.driver.configure(
    cell.manifest(2, { namespaceLimits: { 'other.a1b2c': { requestsPerSecond: 5, visibilityRequestsPerSecond: 1 } } }),
  )
  await vi.waitFor(
    async () => {
      const { state, generation } = await cell.driver.get(cell.nodeId)
      states.push(state)
      expect(generation).toBe(2)
    },
    { timeout: 10_000, interval: 5 },
  )
  // Nobody may take a node for one that starts, only because limits changed.
  expect(new Set(states)).toEqual(new Set(['ready']))
  const other = await newNamespace('other.a1b2c')
  // A namespace that nobody has called yet: the server keeps the limit of one that is called for a minute.
  await vi.waitFor(
    async () => {
      const log = await readFile(join(cell.dir, 'log/temporal.log'), 'utf8')
      expect(log.split('Updated dynamic config').length).toBeGreaterThan(2)
    },
    { timeout: 12_000, interval: 100 },
  )
  expect(await refusals(other, 10)).toBeGreaterThan(5)
  expect(await readFile(join(cell.dir, 'run/temporal.pid'), 'utf8')).toBe(pid)
}, 60_000)
