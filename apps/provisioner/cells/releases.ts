import { defaultTemporalVersion, type TemporalRelease } from '#libs/config'

/** Which Temporal servers this installation can run, and where their programs lie. */
export interface Releases {
  /** Path of `temporal-server` on a node. @throws Error for a version that is not known */
  serverOf(version: string): string
  /** Path of `temporal-sql-tool` here. @throws Error for a version that is not known */
  sqlToolOf(version: string): string
}

/** The release that the product was made with, and those that the operator has added. */
export function releases(
  own: Required<TemporalRelease>,
  added: ReadonlyMap<string, TemporalRelease> = new Map(),
): Releases {
  const known = new Map([[defaultTemporalVersion, own], ...added])
  const release = (version: string) => {
    const found = known.get(version)
    if (found !== undefined) return found
    throw new Error(`Temporal ${version} is not among AQUEDUCT_TEMPORAL_RELEASES: ${[...known.keys()].join(', ')} are`)
  }
  return {
    // Without a path of its own it is the image that differs: the server stands in the same place in each.
    serverOf: (version) => release(version).server ?? own.server,
    sqlToolOf: (version) => release(version).sqlTool,
  }
}
