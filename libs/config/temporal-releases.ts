import { compareVersions } from '#libs/base'

/** The Temporal server that this version of the product was made with. */
export const defaultTemporalVersion = '1.32.2'

/** Older ones let one tenant act in another's namespace: CVE-2025-14986, CVE-2025-14987, CVE-2026-5199. */
const oldestVersion = '1.32.0'

/** Where the programs of one Temporal version lie. */
export interface TemporalRelease {
  /** Absolute path of `temporal-server` on the node; absent where the node's image says which version it is. */
  readonly server?: string
  /** Absolute path of `temporal-sql-tool` beside the provisioner. */
  readonly sqlTool: string
}

const versionPattern = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(\+[0-9A-Za-z.-]{1,32})?$/

/**
 * Parses the releases that an operator adds: a JSON object of version → `{"server"?, "sqlTool"}`. A version may name a build of
 * one's own after a `+`.
 */
export function temporalReleases(value: string): ReadonlyMap<string, TemporalRelease> {
  const parsed: unknown = JSON.parse(value)
  if (!isRecord(parsed)) throw new Error('must be a JSON object of version → {"server"?, "sqlTool"}')
  return new Map(
    Object.entries(parsed).map(([version, release]) => [readVersion(version), readRelease(version, release)]),
  )
}

function readVersion(version: string): string {
  if (!versionPattern.test(version)) {
    throw new Error(`has a version ${JSON.stringify(version)}: write 1.33.0, or 1.33.0+build`)
  }
  if (compareVersions(version, oldestVersion) < 0) {
    throw new Error(`has the version ${version}: below ${oldestVersion} one namespace can reach into another`)
  }
  return version
}

function readRelease(version: string, value: unknown): TemporalRelease {
  if (!isRecord(value)) throw new Error(`${version}: must be {"server"?, "sqlTool"}`)
  const { server, sqlTool, ...others } = value
  const [strange] = Object.keys(others)
  if (strange !== undefined) throw new Error(`${version}: has no ${strange}: only server and sqlTool`)
  if (!isAbsolute(sqlTool)) throw new Error(`${version}: sqlTool must be an absolute path`)
  if (server === undefined) return { sqlTool }
  if (!isAbsolute(server)) throw new Error(`${version}: server must be an absolute path`)
  return { server, sqlTool }
}

function isAbsolute(value: unknown): value is string {
  return typeof value === 'string' && value.startsWith('/')
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
