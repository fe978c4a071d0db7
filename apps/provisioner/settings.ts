import { join } from 'node:path'
import {
  type Environment,
  integer,
  logLevel,
  port,
  readSettings,
  regions,
  setting,
  temporalReleases,
  text,
} from '#libs/config'
import { parseCrashPoint } from './reconcilers/outward.ts'

const seconds = integer(1, 86_400)

const knobs = {
  databaseUrl: setting(
    'AQUEDUCT_DATABASE_URL',
    undefined,
    text,
    'the product’s database; the name and password in it are replaced by the part’s own',
  ),
  masterKey: setting('AQUEDUCT_MASTER_KEY', '', text, '32 bytes as base64 or hex that seal secrets; empty: the file'),
  masterKeyFile: setting('AQUEDUCT_MASTER_KEY_FILE', '', text, 'file with the master key'),
  dataDirectory: setting('AQUEDUCT_DATA_DIR', undefined, text, 'folder in which the local driver keeps its nodes'),
  logLevel: setting('AQUEDUCT_LOG_LEVEL', 'info', logLevel, 'what goes into the log'),
  domain: setting('AQUEDUCT_DOMAIN', 'aqueduct.localhost', text, 'DNS domain of namespace endpoints'),
  regions: setting(
    'AQUEDUCT_REGIONS',
    '[{"id":"aws-us-east-1","driver":"local"}]',
    regions,
    'JSON array of {"id", "driver", "location"?, "options"?}',
  ),
  namespaceLimit: setting(
    'AQUEDUCT_CELL_NAMESPACE_LIMIT',
    '1000',
    integer(1, 10_000),
    'namespaces that a cell takes before the next one is made',
  ),
  cellDatabaseUrl: setting(
    'AQUEDUCT_CELL_DATABASE_URL',
    undefined,
    text,
    'Postgres for the databases of cells, as a role that may create roles and databases',
  ),
  discoveryPort: setting('AQUEDUCT_DISCOVERY_PORT', '7095', integer(1, 65_535), 'port of the discovery server'),
  discoveryHost: setting(
    'AQUEDUCT_DISCOVERY_HOST',
    '127.0.0.1',
    text,
    'address or name of the discovery server, as nodes reach it',
  ),
  temporalServer: setting('TEMPORAL_SERVER', undefined, text, 'absolute path of temporal-server 1.32.2'),
  temporalSqlTool: setting(
    'TEMPORAL_SQL_TOOL',
    undefined,
    text,
    'absolute path of temporal-sql-tool of the same version',
  ),
  temporalReleases: setting(
    'AQUEDUCT_TEMPORAL_RELEASES',
    '{}',
    temporalReleases,
    'JSON object of further Temporal versions → {"server"?, "sqlTool"}, absolute paths',
  ),
  envoy: setting('ENVOY', undefined, text, 'absolute path of Envoy'),
  envoyConcurrency: setting('AQUEDUCT_ENVOY_CONCURRENCY', '1', integer(1, 128), 'worker threads of each Envoy'),
  concurrency: setting('AQUEDUCT_PROVISIONER_CONCURRENCY', '20', integer(1, 200), 'passes at once'),
  port: setting('AQUEDUCT_PROVISIONER_PORT', '7096', port, 'health and metrics; 0 picks a free port'),
  orphanGraceSeconds: setting(
    'AQUEDUCT_ORPHAN_GRACE_SECONDS',
    '30',
    seconds,
    'age below which what runs without a row is left alone',
  ),
  movePassOnSeconds: setting(
    'AQUEDUCT_MOVE_PASS_ON_SECONDS',
    '90',
    seconds,
    'how long a namespace’s old cell passes its calls on after a move: longer than resolvers keep a name',
  ),
  auditRetentionDays: setting(
    'AQUEDUCT_AUDIT_RETENTION_DAYS',
    '365',
    integer(31, 36_500),
    'age at which entries of the audit log are removed',
  ),
  crashPoint: setting(
    'AQUEDUCT_CRASH_AT_FOR_TESTS_ONLY',
    '',
    parseCrashPoint,
    '<step>:before|after at which the process kills itself',
  ),
}

export type ProvisionerSettings = ReturnType<typeof readProvisionerSettings>

/** @throws Error that names every setting that is wrong. */
export function readProvisionerSettings(environment: Environment) {
  const values = readSettings(knobs, environment)
  return {
    ...values,
    nodesDirectory: join(values.dataDirectory, 'nodes'),
    discoveryUrl: `https://${values.discoveryHost}:${values.discoveryPort}`,
  }
}
