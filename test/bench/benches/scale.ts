import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { migrate, roleUrl } from '#libs/store'
import { type Cluster, startCluster } from '../../../apps/aqueduct/postgres/cluster.ts'
import { freePort } from '../../../apps/aqueduct/postgres/free-port.ts'
import { testMasterKey } from '../../harness/master-key.ts'
import type { Measurement } from '../measurement.ts'
import { cpuSecondsOfTree } from '../processes.ts'
import { alternate } from '../rounds.ts'
import { makeFleet } from '../scale/fleet.ts'
import { FleetProvisioner } from '../scale/fleet-provisioner.ts'
import type { FleetSize } from '../scale/fleet-size.ts'
import type { PassResult, ReadResult } from '../scale/job.ts'
import type { Screen } from '../screen.ts'
import { median, ratioOf } from '../statistics.ts'

const full: FleetSize = { cells: 1_000, namespaces: 100_000 }

interface Measured {
  readonly passes: readonly number[]
  readonly reads: readonly number[]
  /** Of the provisioner and of Postgres. */
  readonly cpu: number
  /** Megabytes, before the provisioner was started and after its passes. */
  readonly rssBefore: number
  readonly rss: number
  /** Seconds. */
  readonly ready: number
  readonly firstPass: number
  readonly slowest: string
}

/**
 * What a fleet at rest costs: a provisioner on a real database, with fake machines and cells, does everything that it does by
 * the clock. At full size and at a tenth. Needs no product.
 */
export async function benchScale({
  screen,
  quick,
}: {
  readonly screen: Screen
  readonly quick: boolean
}): Promise<readonly Measurement[]> {
  const size = quick ? tenth(full) : full
  const small = await measure(tenth(size), screen, quick)
  const large = await measure(size, screen, quick)
  return rowsOf(size, small, large)
}

function tenth({ cells, namespaces }: FleetSize): FleetSize {
  return { cells: cells / 10, namespaces: namespaces / 10 }
}

async function measure(size: FleetSize, screen: Screen, quick: boolean): Promise<Measured> {
  screen.line(`A fleet of ${size.cells} cells of three nodes and ${size.namespaces} namespaces`)
  const directory = mkdtempSync(join(tmpdir(), 'aqueduct-bench-fleet-'))
  const cluster = await startCluster({
    directory,
    port: await freePort(),
    password: 'bench-only',
    onOutput: () => undefined,
    dieWithParent: true,
    settings: { max_connections: '100', shared_buffers: '128MB' },
  })
  try {
    const adminUrl = await newDatabase(cluster)
    const databaseUrl = roleUrl(adminUrl, testMasterKey, 'aqueduct_provisioner')
    const admin = new Client({ connectionString: adminUrl })
    await admin.connect()
    try {
      screen.progress('filling the database')
      await makeFleet(admin, { databaseUrl, adminUrl }, size)
      screen.progress('starting')
      const started = await measureStart({ databaseUrl, adminUrl })
      return { ...started, ...(await measurePasses({ databaseUrl, adminUrl }, admin, cluster.pid, screen, quick)) }
    } finally {
      await admin.end()
    }
  } finally {
    await cluster.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

async function newDatabase(cluster: Cluster): Promise<string> {
  const server = new Client({ connectionString: cluster.adminUrl })
  await server.connect()
  await server.query('create database fleet')
  await server.end()
  const url = new URL(cluster.adminUrl)
  url.pathname = '/fleet'
  await migrate({ adminUrl: url.href, masterKey: testMasterKey })
  return url.href
}

interface Urls {
  readonly databaseUrl: string
  readonly adminUrl: string
}

async function measureStart(urls: Urls): Promise<{ readonly ready: number; readonly firstPass: number }> {
  const provisioner = new FleetProvisioner({ ...urls, byHand: false })
  try {
    const { seconds: ready } = await provisioner.ready()
    return { ready, firstPass: await provisioner.firstPass() }
  } finally {
    await provisioner.stop()
  }
}

async function measurePasses(
  urls: Urls,
  admin: Client,
  postgresPid: number,
  screen: Screen,
  quick: boolean,
): Promise<Omit<Measured, 'ready' | 'firstPass'>> {
  // Its own clock does nothing meanwhile: the test does all rounds, one after the other.
  await admin.query("update sweeps set due_at = now() + interval '1 day'")
  const provisioner = new FleetProvisioner({ ...urls, byHand: true })
  try {
    const { rssBefore } = await provisioner.ready()
    await provisioner.pass()
    const cpu: number[] = []
    let last: PassResult | undefined
    const rounds = await alternate<'pass' | 'read', PassResult | ReadResult>(screen, quick ? 3 : 7, {
      pass: async () => {
        const postgres = cpuSecondsOfTree(postgresPid)
        const result = await provisioner.pass()
        if (result.queued.length > 0) throw new Error(`a pass over a fleet at rest woke ${result.queued.join(', ')}`)
        last = result
        cpu.push(result.cpuSeconds + cpuSecondsOfTree(postgresPid) - postgres)
        return result
      },
      read: () => provisioner.read(),
    })
    const { rss } = await provisioner.memory()
    const slowest = Object.entries(last?.rounds ?? {}).toSorted(([, a], [, b]) => b - a)
    return {
      passes: rounds.pass.map(({ seconds }) => seconds),
      reads: rounds.read.map(({ seconds }) => seconds),
      cpu: median(cpu),
      rssBefore,
      rss,
      slowest: slowest
        .slice(0, 4)
        .map(([name, seconds]) => `${name} ${seconds.toFixed(2)} s`)
        .join(', '),
    }
  } finally {
    await provisioner.stop()
  }
}

function rowsOf({ cells, namespaces }: FleetSize, small: Measured, large: Measured): readonly Measurement[] {
  const pass = median(large.passes)
  const kib = ((large.rss - large.rssBefore) * 1024) / namespaces
  const about = `${cells} cells of three nodes, ${namespaces} namespaces, on fake machines and cells and a real database; everything that is done by the clock, one round after the other, and nothing to do. Floor: every row of cells, nodes, namespaces and certificates, read plainly. The longest rounds: ${large.slowest}. In the units of others: ${Math.round(namespaces / pass)} namespaces a second, ${kib.toFixed(1)} KiB each.`
  const growth = `Ten times the fleet, against ten times the tenth of it (${small.passes.length} rounds each): 1 is linear.`
  const grown = (of: (measured: Measured) => number) => of(large) / (10 * of(small))
  return [
    {
      name: 'full pass over the fleet',
      unit: 's',
      ours: pass,
      floor: median(large.reads),
      ratio: ratioOf(large.passes, large.reads),
      target: { of: 'ours', is: 'at most', value: 10 },
      note: about,
    },
    {
      name: 'processor time of a full pass, provisioner and Postgres',
      unit: 's',
      ours: large.cpu,
      target: { of: 'ours', is: 'at most', value: 10 },
      note: about,
    },
    {
      name: 'memory of the provisioner after its passes',
      unit: 'MB',
      ours: large.rss,
      floor: large.rssBefore,
      target: { of: 'ours', is: 'at most', value: 500 },
      note: 'Resident. Floor: the same process with its fakes, before the provisioner was started in it.',
    },
    { name: 'provisioner, start to ready', unit: 's', ours: large.ready, floor: small.ready, note: startNote },
    {
      name: 'provisioner, start to the end of its first full pass',
      unit: 's',
      ours: large.firstPass,
      floor: small.firstPass,
      note: startNote,
    },
    grownTenfold(
      'a full pass, grown',
      median(large.passes),
      10 * median(small.passes),
      grown(({ passes }) => median(passes)),
      growth,
    ),
    grownTenfold(
      'its processor time, grown',
      large.cpu,
      10 * small.cpu,
      grown(({ cpu }) => cpu),
      growth,
    ),
  ]
}

const startNote =
  'A new process on the same data, its fakes included: they are filled from the database first. Floor: with a tenth of the fleet.'

/** Of the clock on the wall no target: what else the machine does differs between the two. */
function grownTenfold(name: string, ours: number, floor: number, ratio: number, note: string): Measurement {
  return {
    name,
    unit: 's',
    ours,
    floor,
    ratio: { median: ratio, low: ratio, high: ratio },
    ...(name.includes('processor') ? { target: { of: 'ratio', is: 'at most', value: 1.3 } as const } : {}),
    note,
  }
}
