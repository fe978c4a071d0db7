import { afterAll, expect, test } from 'vitest'
import { findLeaks } from '../harness/leaks.ts'
import { type Product, removeData, startProduct } from '../harness/product.ts'
import { code, describeThrough, outcome } from './edge.ts'
import { createNamespace, edgeOf, type Namespace } from './namespace.ts'
import { operator } from './operator.ts'
import { talkTo } from './product-under-test.ts'
import { sdkClient, withWorker } from './sdk.ts'
import { issueCertificate, signUp, type Tenant } from './tenant.ts'

/** A product of its own, which is stopped in the middle: everything is there again after the next start. */
let product: Product | undefined

afterAll(async () => {
  if (product === undefined) return
  await product.stop()
  expect(findLeaks(product.dataDirectory, product.output())).toEqual([])
  removeData(product.dataDirectory)
})

test('tenants, keys, certificates, cells and running workflows survive a restart', async () => {
  product = await startProduct()
  talkTo(product)
  const tenant = await signUp('Patient')
  const identity = await issueCertificate(tenant, 'worker')
  const namespace = await createNamespace(tenant, { ca: identity.ca })
  const client = await sdkClient(namespace, { identity })
  const taskQueue = 'patience'
  await client.workflow.start('patientGreeting', { workflowId: 'patient', taskQueue, args: ['again'] })
  await client.connection.close()
  const before = await everything(tenant, namespace)

  const stopping = performance.now()
  await product.stop()
  const stopMs = performance.now() - stopping
  product = await startProduct({ dataDirectory: product.dataDirectory })
  talkTo(product)
  console.log(
    `  stopped in ${(stopMs / 1000).toFixed(1)} s, ready again after ${(product.startMs / 1000).toFixed(1)} s`,
  )

  expect(await everything(tenant, namespace)).toEqual(before)
  const { token } = tenant.api
  expect(await edgeOf('aws-us-east-1')).toBe(namespace.host)
  // The launcher is ready when its parts are; a cell's own start may take a little longer.
  const waiting = performance.now()
  await expect.poll(() => outcome(describeThrough(namespace, { token })), { timeout: 30_000 }).toBe(code.ok)
  console.log(`  the cell serves ${((performance.now() - waiting) / 1000).toFixed(1)} s after that`)
  expect(await outcome(describeThrough(namespace, { identity }))).toBe(code.ok)
  const again = await sdkClient(namespace, { identity })
  const result = await withWorker(namespace, { token }, taskQueue, async () => {
    const handle = again.workflow.getHandle('patient')
    await handle.signal('goOn')
    return handle.result()
  })
  await again.connection.close()
  expect(result).toBe('Hello, again!')
  expect((await createNamespace(tenant)).id).toMatch(tenant.id)
})

/** What the tenant and the operator see, without what changes by itself. */
async function everything({ api }: Tenant, { path }: Namespace) {
  const { cells } = await operator<{ cells: { id: string; namespaces: number }[] }>('GET', '/cells')
  const { nodes } = await operator<{ nodes: { id: string; address: string }[] }>('GET', '/nodes')
  return {
    identity: await api.get('/cloud/current-identity'),
    namespace: await api.get(path),
    cells: cells.map(({ id, namespaces }) => ({ id, namespaces })),
    nodes: nodes.map(({ id, address }) => ({ id, address })),
    certificates: (await operator<{ certificates: unknown }>('GET', '/certificates')).certificates,
  }
}
