import { compareVersions } from '#libs/base'
import type { CellRow } from '#libs/store/cells'

/** What we add to the server's own schema: another name means that the cells that are there are brought to it. */
export const ourColumns = "Cloud's search attributes"
const between = ' with '

/** The name of what a cell's databases have to be before servers of this version start. */
export function databaseSchema(serverVersion: string): string {
  return `${serverVersion}${between}${ourColumns}`
}

/**
 * The schema that a cell is to have for servers of a version. It never goes back: a server takes a schema that is newer than its
 * own, and refuses to start on an older one.
 * @param present what the databases are known to have
 */
export function wantedSchema(present: string | undefined, serverVersion: string): string {
  const [version = '', columns] = present?.split(between) ?? []
  const isNewer = columns === ourColumns && compareVersions(version, serverVersion) > 0
  return isNewer && present !== undefined ? present : databaseSchema(serverVersion)
}

/** Whether servers of this version may start on databases of which this is known. */
export function fits(present: string | undefined, serverVersion: string): boolean {
  return wantedSchema(present, serverVersion) === present
}

/** Of a cell's row; undefined before the first one was there. */
export function knownSchema({ databases_observed: seen }: Pick<CellRow, 'databases_observed'>): string | undefined {
  const known = seen !== null && 'schemaVersion' in seen ? seen.schemaVersion : undefined
  return typeof known === 'string' ? known : undefined
}
