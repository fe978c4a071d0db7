import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'
import { sealer } from '#libs/sealing'
import { assertSchemaFits, Database } from '#libs/store'
import { createLogger, createMetrics } from '#libs/telemetry'
import { startProvisioner } from '../../../apps/provisioner/provisioner.ts'
import { readProvisionerSettings } from '../../../apps/provisioner/settings.ts'
import { testMasterKey } from '../../harness/master-key.ts'
import { driverOfFleet } from './driver-of-fleet.ts'
import { FleetCells } from './fleet-cells.ts'
import { fleetSettings } from './fleet-settings.ts'
import type { FleetAnswer, FleetJob, FleetQuestion, PassResult, ReadResult } from './job.ts'

// A provisioner in a process of its own, on a real database and fake machines and cells: what it takes is its own.
const job = JSON.parse(process.argv[2] ?? '') as FleetJob
const tell = (answer: FleetAnswer) => process.send?.(answer)
const megabytes = (bytes: number) => bytes / 2 ** 20

const admin = new Client({ connectionString: job.adminUrl })
await admin.connect()
const cells = await FleetCells.of(admin)
const driver = await driverOfFleet(admin)
global.gc?.()
const rssBefore = megabytes(process.memoryUsage.rss())

const settings = readProvisionerSettings(fleetSettings(job.databaseUrl, job.adminUrl))
const database = new Database({
  url: job.databaseUrl,
  poolSize: settings.concurrency + 8,
  applicationName: 'aqueduct-provisioner',
})
await assertSchemaFits(database.pool)
const registry = createMetrics('provisioner')
const provisioner = await startProvisioner({
  settings,
  database,
  sealer: sealer(Buffer.from(testMasterKey)),
  drivers: new Map([['aws-us-east-1', driver]]),
  cells,
  logger: createLogger('provisioner', 'warn'),
  registry,
  crash: () => process.exit(1),
})
tell({ kind: 'ready', rssBefore })
if (!job.byHand) {
  await everyRoundDone()
  tell({ kind: 'first pass' })
}
process.on('message', (question: FleetQuestion) => {
  answer(question).then(tell, (thrown) => {
    process.stderr.write(`${String(thrown)}\n`)
    process.exit(1)
  })
})
process.on('disconnect', async () => {
  await provisioner.stop()
  await database.close()
  await admin.end()
})

async function answer(question: FleetQuestion): Promise<FleetAnswer> {
  switch (question) {
    case 'pass':
      return { kind: 'pass', ...(await pass()) }
    case 'read':
      return { kind: 'read', ...(await read()) }
    case 'memory':
      return { kind: 'memory', rss: megabytes(process.memoryUsage.rss()) }
  }
}

async function pass(): Promise<PassResult> {
  const { signal } = new AbortController()
  const cpu = process.cpuUsage()
  const began = performance.now()
  const rounds: Record<string, number> = {}
  for (const { name, work } of provisioner.rounds) {
    const from = performance.now()
    await work(signal)
    rounds[name] = (performance.now() - from) / 1000
  }
  const seconds = (performance.now() - began) / 1000
  const { user, system } = process.cpuUsage(cpu)
  const { rows } = await admin.query<{ key: string }>('select key from graphile_worker.jobs limit 20')
  return { rounds, seconds, cpuSeconds: (user + system) / 1e6, queued: rows.map(({ key }) => key) }
}

/** The same rows, read plainly, in pages as large as the sweeps': no pass could do with less. */
async function read(): Promise<ReadResult> {
  const began = performance.now()
  let rows = 0
  for (const [table, columns, limit] of plain) {
    for (let after = ''; ; ) {
      const page = await admin.query<{ id: string }>(
        `select ${columns} from ${table} where id > $1 order by id limit $2`,
        [after, limit],
      )
      rows += page.rows.length
      after = page.rows.at(-1)?.id ?? ''
      if (page.rows.length < limit) break
    }
  }
  return { seconds: (performance.now() - began) / 1000, rows }
}

async function everyRoundDone(): Promise<void> {
  for (;;) {
    const metric = await registry.getSingleMetric('aqueduct_provisioner_sweep_seconds')?.get()
    const done = new Set(metric?.values.map(({ labels }) => labels.kind))
    if (provisioner.rounds.every(({ name }) => done.has(name.replaceAll(' ', '-')))) return
    await delay(20)
  }
}

const plain = [
  ['cells', '*', 250],
  ['nodes', '*', 750],
  ['namespaces', 'id, tenant_id, cell_id, state', 1_000],
  ['certificates', 'id, not_before, not_after', 1_000],
] as const
