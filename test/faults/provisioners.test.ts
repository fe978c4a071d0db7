import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest'
import { until } from '../harness/until.ts'
import { ProductUnderFault, type Replica } from './product-under-fault.ts'
import { Tenant } from './tenant.ts'
import { expectRowsToEqualWorld } from './world.ts'

const secondRegion = 'aws-eu-west-1'
/** Longer than a lease and a turn at the sweeps, which the provisioner before may have left, and than the clock takes then. */
const deathMs = 60_000
/** Longer than a lease. */
const stoppedMs = 25_000

let product: ProductUnderFault
let tenant: Tenant

beforeAll(async () => {
  const regions = ['aws-us-east-1', secondRegion].map((id) => ({ id, driver: 'local' }))
  product = await ProductUnderFault.start({ AQUEDUCT_REGIONS: JSON.stringify(regions) })
  tenant = await Tenant.join(product, 'faults@example.com')
  await tenant.fulfilled(await all(['up-1', 'up-2', 'down-1', 'down-2', 'down-3', 'down-4'], create))
})

afterAll(() => product?.stop())

beforeEach(() => {
  onTestFailed(() => product.keepData())
})

function all(names: readonly string[], work: (name: string) => Promise<string>): Promise<string[]> {
  return Promise.all(names.map(work))
}

const create = (name: string) => tenant.create(name)
const change = (name: string) => tenant.update(name, { retentionDays: 7 })
const remove = (name: string) => tenant.delete(name)

function numbered(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${index}`)
}

/** Where a provisioner kills itself, and what is asked for so that it gets there. */
const deaths: readonly (readonly [string, () => Promise<string>])[] = [
  // A region's first cell; its lease has run out when the node's turn comes.
  ['create-databases:after', () => tenant.create('far', { regions: [secondRegion] })],
  ['launch-node:after', () => create('new-0')],
  ['configure-node:after', () => create('new-5')],
  ['expose-node:before', () => create('new-6')],
  ['register:before', () => create('new-1')],
  ['register:after', () => create('new-2')],
  ['serve-at-edge:before', () => create('new-3')],
  ['serve-at-edge:after', () => create('new-4')],
  ['update-retention:before', () => change('up-1')],
  ['update-retention:after', () => change('up-2')],
  ['remove-from-edge:before', () => remove('down-1')],
  ['remove-from-edge:after', () => remove('down-2')],
  ['delete-from-cell:before', () => remove('down-3')],
  ['delete-from-cell:after', () => remove('down-4')],
]

test('provisioners are killed before and after their calls: the next one finishes, and rows equal world', async () => {
  const own = await product.part('provisioner')
  product.signal(own, 'SIGSTOP')
  const operations: string[] = []
  try {
    for (const [crashAt, ask] of deaths) {
      operations.push(await ask())
      await dies(await product.replica(crashAt), crashAt)
    }
  } finally {
    product.signal(own, 'SIGCONT')
  }
  await tenant.fulfilled(operations, 60_000)
  await expectRowsToEqualWorld(product)
})

/** @throws Error with what it said when it does not kill itself in time. */
async function dies(replica: Replica, crashAt: string): Promise<void> {
  const end = await Promise.race([replica.ended, delay(deathMs, 'nothing', { ref: false })])
  const said = replica.log().map(({ text }) => text)
  expect(end, `${crashAt}: ${said.slice(-5).join('\n')}`).toBe('SIGKILL')
}

describe('two provisioners at once', () => {
  let other: Replica
  let logged: number

  beforeAll(async () => {
    other = await product.replica()
  })

  beforeEach(() => {
    logged = product.log('provisioner').length
  })

  /**
   * What either provisioner complained of since the test began. A cell takes one change of a namespace at a time, and
   * refuses those that come in the same moment: the pass comes again.
   */
  function complaints(otherLogged = 0): readonly string[] {
    const lines = [...product.log('provisioner').slice(logged), ...other.log().slice(otherLogged)]
    return lines
      .filter(({ level, text }) => !['debug', 'info'].includes(level) && !text.includes('conditional update error'))
      .map(({ text }) => text)
  }

  test('two provisioners share thirty namespaces: each is registered once, and nobody complains', async () => {
    const names = numbered('shared', 30)
    const before = await product.steps('register')
    await tenant.fulfilled(await all(names, create))
    const [own, others] = await Promise.all([product.steps('register'), other.steps('register')])
    expect(own.calls - before.calls + others.calls).toBe(30)
    expect(Math.min(own.calls - before.calls, others.calls)).toBeGreaterThan(0)
    expect(own.failures - before.failures + others.failures).toBe(0)
    await tenant.fulfilled((await Promise.all([all(names.slice(0, 15), change), all(names.slice(15), remove)])).flat())
    expect(complaints()).toEqual([])
    await expectRowsToEqualWorld(product)
  })

  test('one of two is stopped in the middle for longer than its leases: the other finishes, and it gives way', async () => {
    const otherLogged = other.log().length
    const edge = await product.part('edge')
    // Passes come as far as the edge, and wait there.
    product.signal(edge, 'SIGSTOP')
    let operations: string[]
    try {
      operations = await all(numbered('stopped', 10), create)
      await until('both are in the middle of it', async () => (await leased()) === 10)
      product.signal(other.identity, 'SIGSTOP')
    } finally {
      product.signal(edge, 'SIGCONT')
    }
    const stoppedAt = performance.now()
    await tenant.fulfilled([...operations, await change('new-1'), await remove('new-2')])
    await until('it was stopped for long enough', () => performance.now() - stoppedAt > stoppedMs, stoppedMs)
    product.signal(other.identity, 'SIGCONT')
    await until('it gives way', () => other.log().some(({ msg }) => msg === 'pass gave way'))
    expect(complaints(otherLogged)).toEqual([])
    await expectRowsToEqualWorld(product)
  })

  async function leased(): Promise<number> {
    const admin = await product.admin()
    const { rowCount } = await admin.query("select from namespaces where leased_until > now() and waiting_for <> ''")
    await admin.end()
    return rowCount ?? 0
  }
})
