/** A program that is fetched rather than shipped, and which of its versions the product has been tried with. */
export interface Tool {
  /** As it is called on the PATH. */
  readonly name: string
  /** The environment variable that names it, which always wins. */
  readonly variable: string
  /** What is fetched when nothing that fits is there. */
  readonly version: string
  /** The version in what `--version` prints. */
  readonly versionPattern: RegExp
  readonly accepts: (version: string) => boolean
}

/** Later fixes of the minor version that we know. An older one lets one tenant act in another's namespace. */
function sameMinorNotOlder(known: string): (version: string) => boolean {
  const [major, minor, patch] = known.split('.').map(Number)
  return (version) => {
    const parts = version.split('.').map(Number)
    return parts[0] === major && parts[1] === minor && (parts[2] ?? -1) >= (patch ?? 0)
  }
}

const temporalVersion = '1.32.2'
const envoyVersion = '1.40.0'

export const temporalServer: Tool = {
  name: 'temporal-server',
  variable: 'TEMPORAL_SERVER',
  version: temporalVersion,
  versionPattern: /version (\d+\.\d+\.\d+)/,
  accepts: sameMinorNotOlder(temporalVersion),
}

export const temporalSqlTool: Tool = {
  name: 'temporal-sql-tool',
  variable: 'TEMPORAL_SQL_TOOL',
  version: temporalVersion,
  versionPattern: /version (\d+\.\d+\.\d+)/,
  accepts: sameMinorNotOlder(temporalVersion),
}

export const envoy: Tool = {
  name: 'envoy',
  variable: 'ENVOY',
  version: envoyVersion,
  versionPattern: /version: [0-9a-f]+\/(\d+\.\d+\.\d+)\//,
  accepts: sameMinorNotOlder(envoyVersion),
}

/** The command line client, for quickstart and tests; no part needs it. Any 1.x will do. */
export const temporalCli: Tool = {
  name: 'temporal',
  variable: 'TEMPORAL_CLI',
  version: '1.9.1',
  versionPattern: /version (\d+\.\d+\.\d+)/,
  accepts: (version) => version.startsWith('1.'),
}
