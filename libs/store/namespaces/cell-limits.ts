import { sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import type { CellLimits } from '#libs/domain/namespaces'
import type { Executor, Trx } from '../database.ts'
import { recordNamespace } from './reconcile.ts'

/**
 * Asks the cell's nodes to hold these limits for the namespace: they stand in every manifest that is made from now on,
 * and the version of the cell's limits names what a node has to hold.
 * @throws StaleWriterError as `recordNamespace`
 */
export async function askForLimits(
  trx: Trx,
  proof: Authorized<'namespace', 'update'>,
  fence: { readonly holder: string; readonly generation: number },
  cellId: string,
  limits: CellLimits,
): Promise<void> {
  // The cell's row first: its lock orders all who ask, so that whoever reads a version reads what was asked under it.
  const { limits_version: version } = await trx
    .updateTable('cells')
    .set((eb) => ({ limits_version: eb('limits_version', '+', 1) }))
    .where('id', '=', cellId)
    .returning('limits_version')
    .executeTakeFirstOrThrow()
  await recordNamespace(trx, proof, fence, { limitsObserved: { limits, version, acting: false } })
}

/** What the nodes of a cell are to hold, by namespace; those without limits of their own are left out. */
export async function listCellLimits(
  executor: Executor,
  _proof: Authorized<'node', 'update'>,
  cellId: string,
): Promise<Readonly<Record<string, CellLimits>>> {
  const rows = await executor
    .selectFrom('namespaces')
    .select(['id', sql<CellLimits>`limits_observed->'limits'`.as('limits')])
    .where('cell_id', '=', cellId)
    .where('state', '<>', 'deleted')
    .where('limits_observed', 'is not', null)
    .execute()
  return Object.fromEntries(rows.map((row) => [row.id, row.limits]))
}
