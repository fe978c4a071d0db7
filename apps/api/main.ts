import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { systemClock } from '#libs/base'
import { nodePorts } from '#libs/domain/nodes'
import { openAuthority } from '#libs/keyring'
import { announceReady, stopWhenTold } from '#libs/processes'
import { configuredMasterKey, sealer } from '#libs/sealing'
import { assertSchemaFits, Database, type DatabaseRole, roleUrl } from '#libs/store'
import { createLogger, createMetrics } from '#libs/telemetry'
import { buildApi } from './app.ts'
import { auditMetrics } from './audit/audit-metrics.ts'
import { AuditWriter } from './audit/audit-writer.ts'
import { apiKeyTokens } from './auth/api-key-tokens.ts'
import { outboxMailer } from './mail/outbox-mailer.ts'
import { smtpMailer } from './mail/smtp-mailer.ts'
import { UserInvitationMails } from './mail/user-invitation-mails.ts'
import { operatorMetrics } from './operator/operator-metrics.ts'
import { buildOperator } from './operator/operator-server.ts'
import { readPriceFile } from './operator/price-file.ts'
import { pageTokens } from './paging/page-tokens.ts'
import { readApiSettings } from './settings.ts'
import { identityFromFiles } from './tls/identity-from-files.ts'
import { issuedIdentity } from './tls/issued-identity.ts'
import { startGrpc } from './transport/grpc.ts'

/** Milliseconds that calls under way get to end. */
const drainMs = 10_000

const settings = readApiSettings(process.env)
const logger = createLogger('api', settings.logLevel)
const registry = createMetrics('api')
const clock = systemClock
const masterKey = configuredMasterKey({ value: settings.masterKey, file: settings.masterKeyFile })
const box = sealer(masterKey)
const version: string = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version

const open = (role: DatabaseRole, poolSize: number) =>
  new Database({
    url: roleUrl(settings.databaseUrl, masterKey, role),
    poolSize,
    applicationName: role.replace('_', '-'),
    onIdleError: (error) => logger.warn({ err: error, role }, 'a database connection was lost'),
  })
const database = open('aqueduct_api', settings.poolSize)
const signupDatabase = open('aqueduct_signup', 4)
const operatorDatabase = open('aqueduct_operator', 4)
await assertSchemaFits(database.pool)

let stopping = false
const ready = async () => {
  if (stopping) throw new Error('shutting down')
  await assertSchemaFits(database.pool)
}
const tokens = apiKeyTokens({ database, sealer: box })
const { identity, stop: stopIdentity } =
  settings.certificateFile === ''
    ? await issuedIdentity({ database: operatorDatabase, sealer: box, clock, logger, names: settings.names })
    : identityFromFiles({ certificateFile: settings.certificateFile, keyFile: settings.keyFile, logger })
const { certificatePem: operatorCaPem } = await openAuthority(operatorDatabase.all, box, { purpose: 'operator' })

const { publicUrl } = settings
const mailer =
  settings.smtpUrl === ''
    ? outboxMailer({ folder: settings.outboxDirectory, from: settings.mailFrom, clock })
    : smtpMailer({ url: settings.smtpUrl, from: settings.mailFrom })
const invitationMails = new UserInvitationMails({ database: signupDatabase, mailer, logger, clock, publicUrl })

const auditParts = { logger, metrics: auditMetrics(registry) }
const audit = new AuditWriter({ ...auditParts, database, interface: 'cloud_rest' })
const operatorAudit = new AuditWriter({ ...auditParts, database: operatorDatabase, interface: 'operator' })

const api = await buildApi({
  database,
  clock,
  regions: settings.regions,
  tokens,
  pageTokens: pageTokens(box),
  domain: settings.domain,
  edgePort: nodePorts.edge,
  invitationMails,
  logger,
  registry,
  version,
  ready,
  // The first key of a tenant is signed while a connection of the sign-up pool is held: hence from the other pool.
  signup: { database: signupDatabase, apiKeyTokens: tokens, requestsPerMinute: settings.signupsPerMinute },
  identity,
  audit,
  badCredentialsPerSecond: settings.badCredentialsPerSecond,
})
operatorMetrics(registry, operatorDatabase, clock)
const operator = await buildOperator({
  database: operatorDatabase,
  sealer: box,
  mailer,
  invitationMails,
  logger,
  clock,
  publicUrl,
  regions: settings.regions,
  temporalVersions: settings.temporalVersions,
  namespaceLimit: settings.namespaceLimit,
  version,
  audit: operatorAudit,
  prices: readPriceFile(settings.pricesFile),
  tls: { certificatePem: identity.certificateChain, keyPem: identity.key, operatorCaPem },
})
identity.onChange(({ certificateChain, key }) =>
  operator.server.setSecureContext({ cert: certificateChain, key, ca: operatorCaPem }),
)

const servers = [api.http, api.https, operator] as readonly unknown[] as readonly FastifyInstance[]
await api.http.listen({ host: settings.plainHost, port: settings.httpPort })
await api.https.listen({ host: settings.host, port: settings.httpsPort })
await operator.listen({ host: settings.operatorHost, port: settings.operatorPort })
const grpc = await startGrpc({
  dispatch: api.dispatch,
  listeners: [
    { host: settings.plainHost, port: settings.grpcPort },
    { host: settings.host, port: settings.grpcTlsPort, tls: identity },
  ],
})

/** Says no to new calls, lets those under way end, and goes. */
async function stop(): Promise<void> {
  stopping = true
  const timer = setTimeout(() => {
    for (const { server } of servers) server.closeAllConnections()
  }, drainMs)
  await Promise.all([grpc.stop(drainMs), invitationMails.stop(), ...servers.map((server) => server.close())])
  clearTimeout(timer)
  stopIdentity()
  // What was refused until the last moment.
  await Promise.all([audit.stop(), operatorAudit.stop()])
  await Promise.all([database.close(), signupDatabase.close(), operatorDatabase.close()])
}
stopWhenTold(stop, (error) => logger.error({ err: error }, 'did not stop in order'))
announceReady()
const [http, https, operatorPort] = servers.map(({ server }) => (server.address() as AddressInfo).port)
logger.info({ http, https, operator: operatorPort, grpc: grpc.ports[0], grpcTls: grpc.ports[1] }, 'ready')
