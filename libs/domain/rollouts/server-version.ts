import { compareVersions, coreVersion } from '#libs/base'

/**
 * Whether a cell can go from one version of the Temporal server to another, in either direction: within a minor version, or to
 * the next or the last one. Servers of two successive minor versions understand each other and each other's data, and no
 * others are promised to (https://docs.temporal.io/self-hosted-guide/upgrade-server).
 */
export function mayFollow(from: string, to: string): boolean {
  const [fromMajor, fromMinor] = coreVersion(from).split('.').map(Number)
  const [toMajor, toMinor] = coreVersion(to).split('.').map(Number)
  return fromMajor === toMajor && Math.abs((toMinor ?? 0) - (fromMinor ?? 0)) <= 1
}

/** Whether a server that reports `reported` is of the version: what names a build is not reported. */
export function isVersion(reported: string, version: string): boolean {
  return compareVersions(reported, version) === 0
}
