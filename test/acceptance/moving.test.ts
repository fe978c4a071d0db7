import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findLeaks } from '../harness/leaks.ts'
import { nodesOnDisk } from '../harness/nodes-on-disk.ts'
import { type Product, removeData, startProduct } from '../harness/product.ts'
import { code, describeThrough, outcome } from './edge.ts'
import { createNamespace, type Namespace } from './namespace.ts'
import { operator } from './operator.ts'
import { talkTo } from './product-under-test.ts'
import { sdkClient, withWorker } from './sdk.ts'
import { issueCertificate, signUp } from './tenant.ts'

/** A namespace goes to another cell of a product of its own, under the same name and with the same credentials. */

interface Cell {
  readonly id: string
  readonly state: string
  readonly namespaces: number
}
interface Move {
  readonly id: string
  readonly state: string
  readonly waitingFor: string
}

let product: Product | undefined

beforeAll(async () => {
  // Long enough to see that calls go on by the old way, and short enough to wait for its end.
  product = await startProduct({ env: { AQUEDUCT_MOVE_PASS_ON_SECONDS: '30' } })
  talkTo(product)
}, 200_000)
afterAll(async () => {
  if (product === undefined) return
  await product.stop()
  expect(findLeaks(product.dataDirectory, product.output())).toEqual([])
  removeData(product.dataDirectory)
}, 120_000)

const addressOf = async (cellId: string): Promise<string> => {
  const { nodes } = await operator<{ nodes: { address?: string }[] }>('GET', `/nodes?cellId=${cellId}`)
  return nodes[0]?.address ?? ''
}

test('a namespace moves while its workflow waits, and both ways lead to it until everybody has heard', async () => {
  const tenant = await signUp('Nomad')
  const identity = await issueCertificate(tenant, 'worker')
  const before = await createNamespace(tenant, { ca: identity.ca })
  const made = await operator<Cell>('POST', '/cells', { region: 'aws-us-east-1' })
  await expect
    .poll(async () => (await operator<Cell>('GET', `/cells/${made.id}`)).state, { timeout: 90_000, interval: 500 })
    .toBe('ready')
  const client = await sdkClient(before, { identity })
  const taskQueue = 'patience'
  await client.workflow.start('patientGreeting', { workflowId: 'patient', taskQueue, args: ['nomad'] })

  const move = await operator<Move>('POST', `/namespaces/${before.id}/move`, { cellId: made.id })
  const seen = async () => operator<Move>('GET', `/moves/${move.id}`)
  await expect.poll(async () => (await seen()).state, { timeout: 120_000, interval: 500 }).toBe('switching')
  const after: Namespace = { ...before, host: await addressOf(made.id) }
  expect(after.host).not.toBe(before.host)
  await expect.poll(() => outcome(describeThrough(after, { identity })), { timeout: 30_000 }).toBe(code.ok)
  // The old way still works, with a client that never heard of the move.
  expect(await outcome(describeThrough(before, { identity }))).toBe(code.ok)
  const { token } = tenant.api
  const result = await withWorker(after, { token }, taskQueue, async () => {
    const handle = client.workflow.getHandle('patient')
    await handle.signal('goOn')
    return handle.result()
  })
  expect(result).toBe('Hello, nomad!')
  await client.connection.close()

  await expect.poll(async () => (await seen()).state, { timeout: 120_000, interval: 500 }).toBe('done')
  expect(await outcome(describeThrough(after, { identity }))).toBe(code.ok)
  expect(await outcome(describeThrough(before, { identity }))).not.toBe(code.ok)
  const again = await sdkClient(after, { token })
  expect(await again.workflow.getHandle('patient').result()).toBe('Hello, nomad!')
  await again.connection.close()
}, 400_000)

test('the cell that it left is retired, and nothing of it is left', async () => {
  const cells = async () => (await operator<{ cells: Cell[] }>('GET', '/cells')).cells
  const [left] = (await cells()).filter(({ namespaces }) => namespaces === 0)
  const [stays] = (await cells()).filter(({ namespaces }) => namespaces === 1)
  if (left === undefined || stays === undefined) throw new Error('the namespace has not moved')
  await expect(operator('POST', `/cells/${stays.id}/retire`)).rejects.toThrow(/namespaces are left on the cell/)
  const { nodes } = await operator<{ nodes: { id: string }[] }>('GET', `/nodes?cellId=${left.id}`)
  expect(nodes).toHaveLength(1)
  const before = await inTheWorld()
  expect(before.databases.filter((name) => name.startsWith(nameInPostgres(left)))).toHaveLength(2)

  expect(await operator('POST', `/cells/${left.id}/evacuate`)).toEqual({ moves: [], refused: [] })
  expect((await operator<Cell>('POST', `/cells/${left.id}/retire`)).state).toBe('deleting')
  await expect
    .poll(async () => (await operator<Cell>('GET', `/cells/${left.id}`)).state, { timeout: 60_000, interval: 500 })
    .toBe('deleted')

  const isOther = (name: string) => !name.startsWith(nameInPostgres(left))
  const gone = new Set(nodes.map(({ id }) => id))
  expect(await inTheWorld()).toEqual({
    databases: before.databases.filter(isOther),
    roles: before.roles.filter(isOther),
    nodes: before.nodes.filter(([id]) => !gone.has(id)),
  })
  expect((await cells()).map(({ id }) => id)).toEqual([stays.id])
  expect(await operator('GET', '/orphans')).toMatchObject({ orphans: [] })
  const { cells: priced } = await operator<{ cells: { cellId: string }[] }>('GET', '/costs')
  expect(priced.map(({ cellId }) => cellId)).toEqual([stays.id])
}, 100_000)

/** Databases and roles of the server, and what runs in the folder of each node. */
async function inTheWorld() {
  const data = product?.dataDirectory ?? ''
  const { port, password } = JSON.parse(readFileSync(join(data, 'postgres.json'), 'utf8'))
  const client = new Client({ host: '127.0.0.1', port, user: 'aqueduct', password, database: 'aqueduct' })
  await client.connect()
  try {
    const names = async (sql: string) => (await client.query<{ name: string }>(sql)).rows.map(({ name }) => name)
    return {
      databases: await names('select datname as name from pg_database order by 1'),
      roles: await names("select rolname as name from pg_roles where rolname not like 'pg\\_%' order by 1"),
      nodes: nodesOnDisk(data),
    }
  } finally {
    await client.end()
  }
}

function nameInPostgres({ id }: Cell): string {
  return id.replaceAll('-', '_')
}
