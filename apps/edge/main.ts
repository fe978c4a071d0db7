import { coerceError } from '#libs/base'
import { nodePorts } from '#libs/domain/nodes'
import { issueServingCertificate, joinToken } from '#libs/keyring'
import { announceReady, stopWhenTold } from '#libs/processes'
import { configuredMasterKey, sealer } from '#libs/sealing'
import { assertSchemaFits, Database, roleUrl } from '#libs/store'
import { listenForEdgeChanges } from '#libs/store/edge'
import { joinNode, readNodeRootCertificate } from '#libs/store/node-mail'
import { createLogger, createMetrics, startHealthServer } from '#libs/telemetry'
import { buildDiscovery } from './discovery/discovery.ts'
import { NamespaceTokens } from './intent/namespace-tokens.ts'
import { readIntent } from './intent/read-intent.ts'
import { buildJoinServer } from './joining/join-server.ts'
import { Listeners } from './listeners.ts'
import { storedNodeDesk } from './nodes/stored-node-desk.ts'
import { recordRefusals } from './refusals/record-refusals.ts'
import { readEdgeSettings } from './settings.ts'

const settings = readEdgeSettings(process.env)
const logger = createLogger('edge', settings.logLevel)
const registry = createMetrics('edge')
const masterKey = configuredMasterKey({ value: settings.masterKey, file: settings.masterKeyFile })
const box = sealer(masterKey)
const url = roleUrl(settings.databaseUrl, masterKey, 'aqueduct_edge')
const database = new Database({
  url,
  poolSize: 6,
  applicationName: 'aqueduct-edge',
  onIdleError: (error) => logger.warn({ err: error }, 'a database connection was lost'),
})
await assertSchemaFits(database.pool)

const ending = new AbortController()
const cellListeners = new Listeners()
const manifestListeners = new Listeners()
const changes = listenForEdgeChanges({
  url,
  onChange: cellListeners.tell,
  onManifest: manifestListeners.tell,
  onLoss: (error) => logger.warn({ err: error }, 'not told of changes until the database answers again'),
  signal: ending.signal,
})
// Tokens come to half of their life without any row changing.
const tokenRound = setInterval(() => cellListeners.tell('*'), 10 * 60_000)

const tokens = new NamespaceTokens({ database, sealer: box })
const nodeCaPem = await readNodeRootCertificate(database)
const newTls = async () => ({ ...(await issueServingCertificate(database.all, box, settings.names)), nodeCaPem })
let tls = await newTls()
const discovery = buildDiscovery({
  readIntent: (cellId) =>
    readIntent(
      {
        database,
        sealer: box,
        tokens,
        domain: settings.domain,
        edgePort: nodePorts.edge,
        edgePrivatePort: nodePorts.edgePrivate,
        frontendPort: nodePorts.frontend,
        frontendHttpPort: nodePorts.frontendHttp,
      },
      cellId,
    ),
  onChange: cellListeners.add,
  recordRefusals: (node, batch) => recordRefusals(database, node, batch),
  nodes: storedNodeDesk({
    database,
    sealer: box,
    onManifest: manifestListeners.add,
  }),
  logger,
  metrics: registry,
  tls,
})
const joining = buildJoinServer({
  tokenOf: (nodeId) => joinToken(box, nodeId),
  join: (attempt) => joinNode(database, attempt),
  logger,
  metrics: registry,
  tls,
})
const renewal = setInterval(() => {
  if (Date.now() < tls.renewAt.getTime()) return
  newTls().then(
    (issued) => {
      tls = issued
      discovery.renew(issued)
      joining.renew(issued)
    },
    (thrown: unknown) =>
      logger.error({ err: coerceError(thrown) }, 'the discovery server’s certificate was not renewed'),
  )
}, 3_600_000)
const port = await discovery.listen({ host: settings.host, port: settings.port })
const joinPort = await joining.listen({ host: settings.host, port: settings.joinPort })
const health = await startHealthServer({
  host: '127.0.0.1',
  port: settings.healthPort,
  registry,
  ready: async () => void (await database.pool.query('select 1')),
})

async function stop(): Promise<void> {
  clearInterval(tokenRound)
  clearInterval(renewal)
  ending.abort()
  await Promise.all([discovery.close(), joining.close()])
  await changes
  await health.close()
  await database.close()
}
stopWhenTold(stop, (error) => logger.error({ err: error }, 'did not stop in order'))
announceReady()
logger.info({ port, joinPort, healthPort: health.port }, 'ready')
