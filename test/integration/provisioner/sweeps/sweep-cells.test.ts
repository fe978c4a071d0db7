import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { renewCertificates } from '../../../../apps/provisioner/reconcilers/certificates/renew.ts'
import { type CellSweep, sweepCells } from '../../../../apps/provisioner/sweeps/sweep-cells.ts'
import { slowParts } from '../../plans/plan.ts'
import { recordStatements, type StatementRecorder } from '../../plans/recorded-statements.ts'
import { type FleetAtRest, fleetAtRest } from './fleet-at-rest.ts'

const size = { cells: 600, namespaces: 3_000 }
const { signal } = new AbortController()

let recorder: StatementRecorder
let fleet: FleetAtRest

beforeAll(async () => {
  recorder = recordStatements()
  fleet = await fleetAtRest(size)
}, 60_000)
afterAll(async () => {
  recorder.stop()
  await fleet.close()
})
afterEach(async () => {
  await fleet.takeJobs()
})

const sweep = (): Promise<CellSweep> => sweepCells(fleet.deps, signal)
const update = (sql: string, values: readonly unknown[] = []) => fleet.admin.query(sql, [...values])

async function statements(work: () => Promise<unknown>): Promise<number> {
  return (await recorder.during(work)).reduce((sum, { times }) => sum + times, 0)
}

describe('a fleet at rest', () => {
  test('every cell and node is looked at, and none is woken', async () => {
    expect(await sweep()).toEqual({ cells: size.cells, nodes: 3 * size.cells, woken: [] })
    expect(await fleet.takeJobs()).toEqual([])
  })

  test('the driver is asked once, and statements grow with pages and not with rows', async () => {
    fleet.driver.calls.length = 0
    // Three pages of cells, one statement each for the cells and for their nodes.
    expect(await statements(sweep)).toBeLessThanOrEqual(6)
    expect(fleet.driver.calls).toEqual([{ method: 'list', nodeId: undefined }])
    const deps = { ...fleet.deps, domain: 'example.test' }
    // Two pages of nodes and four of namespaces, of which the last may be empty.
    expect(await statements(() => renewCertificates(deps, signal))).toBeLessThanOrEqual(7)
  })

  test('no statement of a sweep reads a whole table, or sorts one', async () => {
    const rowsOf = new Map([
      ['cells', 100_000],
      ['nodes', 100_000],
      ['namespaces', 100_000],
      ['certificates', 100_000],
    ])
    // As a fleet of another size has it: the planner is not to choose by how few rows there are.
    await update('set enable_seqscan = off')
    const seen = await recorder.during(async () => {
      await sweep()
      await renewCertificates({ ...fleet.deps, domain: 'example.test' }, signal)
    })
    const found: string[] = []
    for (const statement of seen.filter(({ text }) => /^\s*select/i.test(text))) {
      const slow = await slowParts(fleet.admin, statement, rowsOf, { rows: 5_000 })
      found.push(...slow.map((what) => `${what}: ${statement.text}`))
    }
    expect(found).toEqual([])
    expect(seen.length).toBeGreaterThan(3)
  })
})

/** Each of these tests has a cell of its own, and leaves it as it is then. */
const cellOf = (number: number) => `cell-${String(number).padStart(6, '0')}`
const nodeOf = (number: number, slot: string) => `node-${String(number).padStart(6, '0')}-${slot}`

async function wokenOf(number: number): Promise<readonly string[]> {
  const { woken } = await sweep()
  return woken.filter((id) => id === cellOf(number) || id.startsWith(`${nodeOf(number, '')}`))
}

describe('what is not as it is to be is woken, and nothing else of its cell', () => {
  test('a node whose machine has failed', async () => {
    fleet.driver.setState(nodeOf(11, 'all-1'), 'failed')
    expect(await wokenOf(11)).toEqual([nodeOf(11, 'all-1')])
    expect(await fleet.takeJobs()).toEqual([`reconcile-node:${nodeOf(11, 'all-1')}`])
  })

  test('a node whose machine is gone', async () => {
    fleet.driver.lose(nodeOf(12, 'all-2'))
    expect(await wokenOf(12)).toEqual([nodeOf(12, 'all-2')])
  })

  test('a node with another intent, and one whose cell has new limits', async () => {
    await update('update nodes set generation = generation + 1 where id = $1', [nodeOf(13, 'all-0')])
    await update('update nodes set limits_version = limits_version + 1 where id = $1', [nodeOf(13, 'all-2')])
    expect(await wokenOf(13)).toEqual([nodeOf(13, 'all-0'), nodeOf(13, 'all-2')])
  })

  test('a cell that does not answer', async () => {
    fleet.silent.add(cellOf(14))
    expect(await wokenOf(14)).toEqual([cellOf(14)])
  })

  test('a cell whose node has to be replaced, and one whose template is another', async () => {
    await update("update nodes set retire_reason = 'maintenance' where id = $1", [nodeOf(15, 'all-1')])
    expect(await wokenOf(15)).toEqual([cellOf(15)])
    await update(`update cells set node_template = node_template || '{"image": "another"}' where id = $1`, [cellOf(16)])
    expect(await wokenOf(16)).toEqual([cellOf(16)])
  })

  test('all nodes, when the settings that go into their manifests are others', async () => {
    const { woken } = await sweepCells({ ...fleet.deps, discoveryUrl: 'https://another.test:1' }, signal)
    expect(woken.filter((id) => id.startsWith('node-')).length).toBeGreaterThan(3 * size.cells - 10)
  })
})

describe('what rests or is worked on is left alone by the clock', () => {
  test.each([
    ['rests after a pass that failed', "retry_at = now() + interval '10 s'", "retry_at = now() - interval '1 s'"],
    ['has a lease', "leased_until = now() + interval '10 s'", "leased_until = now() - interval '1 s'"],
  ])('a cell and a node that %s', async (_what, busy, over) => {
    fleet.silent.add(cellOf(21))
    fleet.driver.setState(nodeOf(21, 'all-1'), 'failed')
    const set = (what: string) =>
      Promise.all([
        update(`update cells set ${what} where id = $1`, [cellOf(21)]),
        update(`update nodes set ${what} where id = $1`, [nodeOf(21, 'all-1')]),
      ])
    await set(busy)
    expect(await wokenOf(21)).toEqual([])
    await set(over)
    expect(await wokenOf(21)).toEqual([cellOf(21), nodeOf(21, 'all-1')])
  })
})

describe('nothing stops a sweep', () => {
  test('a row that makes no sense is woken, so that its own pass says so, and the others are looked at', async () => {
    await update('update cells set region = $2 where id = $1', [cellOf(31), 'aws-nowhere-1'])
    await update(`update cells set node_template = 'null' where id = $1`, [cellOf(32)])
    fleet.driver.setState(nodeOf(599, 'all-1'), 'failed')
    const { cells, woken } = await sweep()
    expect(cells).toBe(size.cells)
    expect(woken).toEqual(expect.arrayContaining([cellOf(32), nodeOf(599, 'all-1')]))
  })

  test('a page that cannot be looked at is left out', async () => {
    let asked = 0
    const poisoned = new Proxy(fleet.deps.database, {
      get: (database, name) => {
        if (name !== 'all') return Reflect.get(database, name)
        asked += 1
        // The second statement of the first page.
        if (asked === 3) throw new Error('the page breaks')
        return database.all
      },
    })
    const { cells } = await sweepCells({ ...fleet.deps, database: poisoned }, signal)
    expect(cells).toBeLessThan(size.cells)
    expect(cells).toBeGreaterThanOrEqual(size.cells - 250)
  })

  test('a driver that cannot list: of its nodes nothing is known, and none that was ready is woken', async () => {
    fleet.driver.setState(nodeOf(41, 'all-1'), 'failed')
    fleet.driver.failNext('list', 'throttled')
    expect(await wokenOf(41)).toEqual([])
    expect(await wokenOf(41)).toEqual([nodeOf(41, 'all-1')])
  })

  test('a sweep whose turn is lost ends between two pages', async () => {
    const lost = new AbortController()
    lost.abort(new Error('another replica took over'))
    await expect(sweepCells(fleet.deps, lost.signal)).rejects.toThrow('another replica took over')
  })
})
