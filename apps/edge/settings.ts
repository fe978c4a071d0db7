import { type Environment, list, logLevel, port, readSettings, setting, text } from '#libs/config'

const knobs = {
  databaseUrl: setting(
    'AQUEDUCT_DATABASE_URL',
    undefined,
    text,
    'the product’s database; the name and password in it are replaced by the part’s own',
  ),
  masterKey: setting('AQUEDUCT_MASTER_KEY', '', text, '32 bytes as base64 or hex that seal secrets; empty: the file'),
  masterKeyFile: setting('AQUEDUCT_MASTER_KEY_FILE', '', text, 'file with the master key'),
  logLevel: setting('AQUEDUCT_LOG_LEVEL', 'info', logLevel, 'what goes into the log'),
  domain: setting('AQUEDUCT_DOMAIN', 'aqueduct.localhost', text, 'DNS domain of namespace endpoints'),
  host: setting(
    'AQUEDUCT_EDGE_LISTEN',
    '127.0.0.1',
    text,
    'address that the discovery server and the join listener listen on',
  ),
  port: setting('AQUEDUCT_DISCOVERY_PORT', '7095', port, 'port of the discovery server'),
  joinPort: setting('AQUEDUCT_JOIN_PORT', '7097', port, 'where machines join as nodes; 0 picks a free port'),
  names: setting(
    'AQUEDUCT_DISCOVERY_NAMES',
    'localhost,127.0.0.1',
    list,
    'names and addresses in the discovery server’s certificate',
  ),
  healthPort: setting('AQUEDUCT_EDGE_HEALTH_PORT', '0', port, 'health and metrics; 0 picks a free port'),
}

/** @throws Error that names every setting that is wrong. */
export function readEdgeSettings(environment: Environment) {
  return readSettings(knobs, environment)
}
