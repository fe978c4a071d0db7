import { systemActor } from '#libs/authz'
import { coerceError } from '#libs/base'
import { knownDatabases } from '#libs/store/owners'
import { listMarks } from '../cells/database-marks.ts'
import { dropCellDatabases, markCellDatabases } from '../cells/databases.ts'
import { collectOrphans, type Orphan, type OrphanSource, type OrphansDeps } from './orphans.ts'

export interface OrphanDatabasesDeps extends OrphansDeps {
  /** Server of the cells' databases, as who may make and drop them. */
  readonly adminUrl: string
  /** This one's id: what another one marked on the same server is not looked at. */
  readonly installation: string
}

const system = systemActor('orphan-databases')

/**
 * Drops the databases and the role of cells whose row is `deleted`, if this installation made them: what a provisioner left
 * behind that was stopped in the middle and went on when the cell was gone. What belongs to a cell without any row is left
 * alone: it holds tenants' data, and a restored backup may have forgotten its row. Marks those that have none and whose cell lives.
 * @returns how many cells' databases were dropped.
 */
export async function collectOrphanDatabases(deps: OrphanDatabasesDeps): Promise<number> {
  return collectOrphans(deps, orphanDatabases(deps))
}

/** The source behind `collectOrphanDatabases`. */
function orphanDatabases(deps: OrphanDatabasesDeps): OrphanSource<Orphan> {
  const { database, adminUrl, installation } = deps
  const proof = system.authorize('orphan', 'update', { fleet: true })
  const rowOf = async (name: string) => (await knownDatabases(database.all, proof, [name])).get(name)
  return {
    scope: 'cell databases',
    kinds: ['database'],
    look: async () => {
      const groups = [...Map.groupBy(await listMarks(adminUrl), (object) => object.cellName)]
      const rows = await knownDatabases(
        database.all,
        proof,
        groups.map(([name]) => name),
      )
      const orphans: Orphan[] = []
      for (const [name, objects] of groups) {
        const row = rows.get(name)
        const isOurs = objects.every((object) => object.installation === installation)
        if (row?.deleted === false) {
          if (!isOurs) await markOurs(deps, row.cellId)
        } else if (row !== undefined || isOurs) {
          const stranger = row === undefined || !isOurs
          orphans.push({ kind: 'database', id: name, cellId: row?.cellId ?? name.replaceAll('_', '-'), stranger })
        }
      }
      return orphans
    },
    isStillUnowned: async ({ id }) => (await rowOf(id))?.deleted === true,
    remove: ({ id, cellId }) =>
      dropCellDatabases({ adminUrl, installation }, cellId, async () => (await rowOf(id))?.deleted !== true),
  }
}

async function markOurs({ adminUrl, installation, logger }: OrphanDatabasesDeps, cellId: string): Promise<void> {
  try {
    await markCellDatabases({ adminUrl, installation }, cellId)
    logger.info({ cell: cellId }, 'databases of a cell marked as ours')
  } catch (thrown) {
    logger.error({ cell: cellId, err: coerceError(thrown) }, 'databases of a cell not marked')
  }
}
