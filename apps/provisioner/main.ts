import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { allPorts, nodePorts } from '#libs/domain/nodes'
import { announceReady, stopWhenTold } from '#libs/processes'
import { configuredMasterKey, sealer } from '#libs/sealing'
import { assertSchemaFits, Database, isDatabaseUnavailable, roleUrl } from '#libs/store'
import { createLogger, createMetrics, startHealthServer } from '#libs/telemetry'
import type { NodeDriver } from './drivers/contract.ts'
import { createEc2Drivers } from './drivers/ec2/create-ec2-drivers.ts'
import { LocalDriver } from './drivers/local/driver.ts'
import { startProvisioner } from './provisioner.ts'
import { readProvisionerSettings } from './settings.ts'

const settings = readProvisionerSettings(process.env)
const logger = createLogger('provisioner', settings.logLevel)
const registry = createMetrics('provisioner')
const masterKey = configuredMasterKey({ value: settings.masterKey, file: settings.masterKeyFile })
const database = new Database({
  url: roleUrl(settings.databaseUrl, masterKey, 'aqueduct_provisioner'),
  // A pass holds one connection at most at a time; the rest is for the queue and the rounds.
  poolSize: settings.concurrency + 8,
  applicationName: 'aqueduct-provisioner',
  onIdleError: (error) => logger.warn({ err: error }, 'a database connection was lost'),
})
await assertSchemaFits(database.pool)

mkdirSync(settings.nodesDirectory, { recursive: true, mode: 0o700 })
const drivers = new Map<string, NodeDriver>()
const local = settings.regions.find((region) => region.driver === 'local')
if (local !== undefined) {
  const { addressPrefix } = local.options
  const driver = new LocalDriver({
    nodesDir: settings.nodesDirectory,
    agentMain: resolve(import.meta.dirname, '../node/main.ts'),
    nodeBinary: process.execPath,
    logLevel: settings.logLevel,
    ports: allPorts(nodePorts),
    ...(typeof addressPrefix === 'string' ? { addressPrefix } : {}),
  })
  for (const region of settings.regions) if (region.driver === 'local') drivers.set(region.id, driver)
}
const onEc2 = createEc2Drivers({ database, sealer: sealer(masterKey), logger }, settings.regions)
for (const [regionId, driver] of onEc2) drivers.set(regionId, driver)
const strange = settings.regions.find((region) => !drivers.has(region.id))
if (strange !== undefined) {
  throw new Error(
    `AQUEDUCT_REGIONS: the region ${strange.id} has the driver ${strange.driver}, which is for tests: use local or ec2`,
  )
}
const health = await startHealthServer({
  host: '127.0.0.1',
  port: settings.port,
  registry,
  ready: async () => void (await database.pool.query('select 1')),
})
const provisioner = await startProvisioner({
  settings,
  database,
  sealer: sealer(masterKey),
  drivers,
  logger,
  registry,
  crash: () => process.kill(process.pid, 'SIGKILL'),
})

async function stop(): Promise<void> {
  await provisioner.stop()
  await health.close()
  await database.close()
}
// The queue notes that a job is done without waiting for the answer (graphile-worker 0.17.3, worker.js), so that nobody
// catches it when the database goes away in that moment, and Node would end the process. Its noun is woken by the clock.
process.on('unhandledRejection', (thrown) => {
  if (!isDatabaseUnavailable(thrown)) throw thrown
  logger.warn({ err: thrown }, 'what was done could not be noted in the queue')
})
stopWhenTold(stop, (error) => logger.error({ err: error }, 'did not stop in order'))
announceReady()
logger.info({ port: health.port }, 'ready')
