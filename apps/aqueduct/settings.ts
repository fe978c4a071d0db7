import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { type Environment, logLevel, port, readSettings, regions, setting, text } from '#libs/config'

export const projectDirectory = resolve(import.meta.dirname, '../..')

const oneLocalRegion = '[{"id":"aws-us-east-1","driver":"local","location":"US East (N. Virginia)"}]'

/** Every knob of the launcher. It hands all `AQUEDUCT_*` on: the parts have knobs of their own. */
function knobs(environment: Environment) {
  const cache = join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), 'aqueduct')
  return {
    dataDirectory: setting(
      'AQUEDUCT_DATA_DIR',
      join(projectDirectory, '.aqueduct'),
      resolvePath,
      'folder for everything that is generated',
    ),
    cacheDirectory: setting('AQUEDUCT_CACHE', cache, resolvePath, 'folder for programs that are fetched or built once'),
    logLevel: setting('AQUEDUCT_LOG_LEVEL', 'info', logLevel, 'what goes into the logs'),
    domain: setting(
      'AQUEDUCT_DOMAIN',
      'aqueduct.localhost',
      text,
      'DNS domain of namespace endpoints: <namespace>.<tenant>.<domain>',
    ),
    regions: setting(
      'AQUEDUCT_REGIONS',
      oneLocalRegion,
      regionList,
      'JSON array of {"id", "driver", "location"?, "options"?}',
    ),
    httpPort: setting('AQUEDUCT_HTTP_PORT', '7080', port, 'REST over HTTP; 0 picks a free port, here and below'),
    httpsPort: setting('AQUEDUCT_HTTPS_PORT', '7443', port, 'REST over HTTPS'),
    grpcPort: setting('AQUEDUCT_GRPC_PORT', '7070', port, 'gRPC without TLS'),
    grpcTlsPort: setting('AQUEDUCT_GRPC_TLS_PORT', '7073', port, 'gRPC with TLS'),
    operatorPort: setting('AQUEDUCT_OPERATOR_PORT', '7444', port, 'operator API, HTTPS with client certificate'),
    discoveryPort: setting(
      'AQUEDUCT_DISCOVERY_PORT',
      '7095',
      port,
      'where nodes fetch the configuration of their edge',
    ),
    joinPort: setting('AQUEDUCT_JOIN_PORT', '7097', port, 'where machines join as nodes'),
    provisionerPort: setting('AQUEDUCT_PROVISIONER_PORT', '7096', port, 'health and metrics of the provisioner'),
    edgeHealthPort: setting('AQUEDUCT_EDGE_HEALTH_PORT', '7098', port, 'health and metrics of the edge'),
    firstOperator: setting(
      'AQUEDUCT_FIRST_OPERATOR',
      'first',
      operatorName,
      'name of the operator that the first start makes; later starts do not read it',
    ),
    databaseUrl: setting(
      'DATABASE_URL',
      '',
      databaseUrl,
      'a Postgres of your own, as a role that may create roles and databases; empty: embedded',
    ),
    postgresPort: setting(
      'AQUEDUCT_POSTGRES_PORT',
      '0',
      port,
      'of the embedded Postgres; 0 picks a free port once and keeps it',
    ),
    masterKey: setting('AQUEDUCT_MASTER_KEY', '', text, '32 bytes as base64 or hex that seal secrets; empty: the file'),
    masterKeyFile: setting(
      'AQUEDUCT_MASTER_KEY_FILE',
      '',
      text,
      'file with the master key; empty: one is made in the data folder',
    ),
  }
}

export type Settings = ReturnType<typeof readLauncherSettings>

/** @throws Error that names every setting that is wrong. */
export function readLauncherSettings(environment: Environment) {
  return readSettings(knobs(environment), environment)
}

function resolvePath(value: string): string {
  return resolve(value)
}

/** Checked here, where a person sees the mistake; the parts read the text again. */
function regionList(value: string): string {
  regions(value)
  return value
}

/** @throws Error for what no operator can be named. */
export function operatorName(value: string): string {
  if (/^[a-z0-9][a-z0-9._-]{0,62}$/.test(value)) return value
  throw new Error('must be lower case letters, digits, dots, hyphens and underscores, 63 at most')
}

function databaseUrl(value: string): string {
  if (value === '') return value
  const url = URL.parse(value)
  if (url === null || !['postgres:', 'postgresql:'].includes(url.protocol) || url.pathname.length < 2) {
    throw new Error('must look like postgres://user:password@host:5432/database')
  }
  return value
}
