import { afterAll, beforeAll, expect, test } from 'vitest'
import { findLeaks } from '../harness/leaks.ts'
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
  const { cells } = await operator<{ cells: Cell[] }>('GET', '/cells')
  const [source] = cells
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
  await operator('POST', `/cells/${source?.id}/evacuate`)
  expect((await operator<Cell>('POST', `/cells/${source?.id}/retire`)).state).toBe('deleting')
}, 400_000)
