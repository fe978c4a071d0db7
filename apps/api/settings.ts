import { join } from 'node:path'
import {
  defaultTemporalVersion,
  type Environment,
  integer,
  list,
  logLevel,
  port,
  readSettings,
  regions,
  setting,
  temporalReleases,
  text,
} from '#libs/config'

/** Every knob of the API. Those without a default come from the launcher. */
const knobs = {
  databaseUrl: setting(
    'AQUEDUCT_DATABASE_URL',
    undefined,
    text,
    'the product’s database; the name and password in it are replaced by the part’s own',
  ),
  poolSize: setting('AQUEDUCT_API_POOL_SIZE', '16', integer(2, 200), 'database connections for calls of tenants'),
  masterKey: setting('AQUEDUCT_MASTER_KEY', '', text, '32 bytes as base64 or hex that seal secrets; empty: the file'),
  masterKeyFile: setting('AQUEDUCT_MASTER_KEY_FILE', '', text, 'file with the master key'),
  logLevel: setting('AQUEDUCT_LOG_LEVEL', 'info', logLevel, 'what goes into the log'),
  domain: setting('AQUEDUCT_DOMAIN', 'aqueduct.localhost', text, 'DNS domain of namespace endpoints'),
  regions: setting('AQUEDUCT_REGIONS', undefined, regions, 'JSON array of {"id", "driver", "location"?, "options"?}'),
  temporalReleases: setting(
    'AQUEDUCT_TEMPORAL_RELEASES',
    '{}',
    temporalReleases,
    'JSON object of further Temporal versions that cells can be rolled to, as the provisioner reads it',
  ),
  namespaceLimit: setting(
    'AQUEDUCT_CELL_NAMESPACE_LIMIT',
    '1000',
    integer(1, 10_000),
    'namespaces that a cell takes which an operator creates',
  ),
  pricesFile: setting('AQUEDUCT_PRICES_FILE', '', text, 'JSON file with what machines cost; empty: the product’s own'),
  dataDirectory: setting('AQUEDUCT_DATA_DIR', '.', text, 'folder in which the outbox for mails lies'),
  host: setting('AQUEDUCT_API_LISTEN', '127.0.0.1', text, 'address of the listeners with TLS'),
  plainHost: setting('AQUEDUCT_API_PLAIN_LISTEN', '127.0.0.1', text, 'address of the listeners without TLS'),
  operatorHost: setting('AQUEDUCT_OPERATOR_LISTEN', '127.0.0.1', text, 'address of the operator listener'),
  httpPort: setting('AQUEDUCT_HTTP_PORT', '7080', port, 'REST over HTTP'),
  httpsPort: setting('AQUEDUCT_HTTPS_PORT', '7443', port, 'REST over HTTPS'),
  grpcPort: setting('AQUEDUCT_GRPC_PORT', '7070', port, 'gRPC without TLS'),
  grpcTlsPort: setting('AQUEDUCT_GRPC_TLS_PORT', '7073', port, 'gRPC with TLS'),
  operatorPort: setting('AQUEDUCT_OPERATOR_PORT', '7444', port, 'operator API, HTTPS with client certificate'),
  names: setting('AQUEDUCT_API_NAMES', 'localhost,127.0.0.1', list, 'names and addresses in the server certificate'),
  certificateFile: setting('AQUEDUCT_TLS_CERT_FILE', '', text, 'server certificate of your own, PEM, leaf first'),
  keyFile: setting('AQUEDUCT_TLS_KEY_FILE', '', text, 'its key, PEM'),
  publicUrl: setting(
    'AQUEDUCT_PUBLIC_URL',
    '',
    url('http:', 'https:'),
    'where people reach the public listener, for links in mails; empty: REST over HTTP',
  ),
  smtpUrl: setting('AQUEDUCT_SMTP_URL', '', url('smtp:', 'smtps:'), 'mail server; empty: mails go to the outbox'),
  mailFrom: setting('AQUEDUCT_MAIL_FROM', 'Aqueduct <aqueduct@localhost>', text, 'sender of mails'),
  outboxDirectory: setting('AQUEDUCT_OUTBOX_DIR', '', text, 'folder for mails; empty: outbox in the data folder'),
  signupsPerMinute: setting(
    'AQUEDUCT_SIGNUP_RATE',
    '30',
    integer(1, 100_000),
    'waitlist and invitation calls a minute from one address',
  ),
  badCredentialsPerSecond: setting(
    'AQUEDUCT_BAD_CREDENTIALS_RATE',
    '100',
    integer(1, 1_000_000),
    'calls without good credentials a second from one address',
  ),
}

/** @throws Error that names every setting that is wrong. */
export function readApiSettings(environment: Environment) {
  const settings = readSettings(knobs, environment)
  if ((settings.certificateFile === '') !== (settings.keyFile === '')) {
    throw new Error('AQUEDUCT_TLS_CERT_FILE and AQUEDUCT_TLS_KEY_FILE must be set together')
  }
  return Object.freeze({
    ...settings,
    temporalVersions: [...new Set([defaultTemporalVersion, ...settings.temporalReleases.keys()])],
    outboxDirectory: settings.outboxDirectory || join(settings.dataDirectory, 'outbox'),
    publicUrl: settings.publicUrl.replace(/\/+$/, '') || `http://${settings.plainHost}:${settings.httpPort}`,
  })
}

function url(...protocols: readonly string[]): (value: string) => string {
  return (value) => {
    if (value !== '' && !protocols.includes(URL.parse(value)?.protocol ?? '')) {
      throw new Error(`must be a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`)
    }
    return value
  }
}
