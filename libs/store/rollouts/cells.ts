import { type Selectable, sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import { type NodeTemplate, templateHash } from '#libs/domain/nodes'
import type { CellProgress } from '#libs/domain/rollouts'
import type { CellRow } from '../cells/store.ts'
import type { Executor, Trx } from '../database.ts'
import type { NodeRow } from '../nodes/store.ts'
import type { RolloutCellsTable } from './table.ts'

export interface RolloutCellRow extends Selectable<RolloutCellsTable> {
  readonly cell: Pick<
    CellRow,
    'id' | 'state' | 'size' | 'conditions' | 'failures' | 'node_template' | 'bootstrapped_at'
  >
}

/** By id, each with its cell's row. */
export async function listRolloutCells(
  executor: Executor,
  proof: Authorized<'rollout', 'read'> | Authorized<'rollout', 'update'>,
): Promise<readonly RolloutCellRow[]> {
  const rows = await executor
    .selectFrom('rollout_cells')
    .innerJoin('cells', 'cells.id', 'rollout_cells.cell_id')
    .selectAll('rollout_cells')
    .select(['cells.state', 'size', 'conditions', 'failures', 'node_template', 'bootstrapped_at'])
    .where('rollout_id', '=', proof.target.rolloutId)
    .orderBy('cell_id')
    .execute()
  return rows.map(({ state, size, conditions, failures, node_template, bootstrapped_at, ...row }) => ({
    ...row,
    cell: { id: row.cell_id, state, size, conditions, failures, node_template, bootstrapped_at },
  }))
}

/** Takes in the cells that the region has got meanwhile. Lock the region first. @returns how many there were. */
export async function addMissingCells(trx: Trx, rolloutId: string, region: string): Promise<number> {
  const { rows } = await sql`
    insert into rollout_cells (rollout_id, cell_id, previous)
    select ${rolloutId}, id, node_template from cells
    where region = ${region} and state not in ('deleting', 'deleted')
    on conflict do nothing returning cell_id`.execute(trx)
  return rows.length
}

export interface RolloutCellRecord {
  readonly progress?: CellProgress
  readonly since?: Date
  readonly judged?: boolean
  readonly breaks?: number
  readonly unwellSince?: Date | null
  readonly detail?: string
}

/** After `recordRollout` of the same transaction, which holds the rollout's row. */
export async function recordRolloutCell(
  trx: Trx,
  proof: Authorized<'rollout', 'update'>,
  cellId: string,
  record: RolloutCellRecord,
): Promise<void> {
  await trx
    .updateTable('rollout_cells')
    .set({
      ...(record.progress === undefined ? {} : { progress: record.progress }),
      ...(record.since === undefined ? {} : { since: record.since }),
      ...(record.judged === undefined ? {} : { judged: record.judged }),
      ...(record.breaks === undefined ? {} : { breaks: record.breaks }),
      ...(record.unwellSince === undefined ? {} : { unwell_since: record.unwellSince }),
      ...(record.detail === undefined ? {} : { detail: record.detail }),
    })
    .where('rollout_id', '=', proof.target.rolloutId)
    .where('cell_id', '=', cellId)
    .execute()
}

/** Gives cells whose nodes are being replaced their time anew, after a pause. */
export async function restartRolloutTimes(trx: Trx, proof: Authorized<'rollout', 'update'>, at: Date): Promise<void> {
  await trx
    .updateTable('rollout_cells')
    .set({ since: at, unwell_since: null })
    .where('rollout_id', '=', proof.target.rolloutId)
    .where('progress', 'in', ['changing', 'soaking'])
    .execute()
}

/** What the cell's nodes are to be made from. Its own reconciler replaces them. */
export async function setCellTemplate(
  trx: Trx,
  proof: Authorized<'cell', 'update'>,
  template: NodeTemplate,
  at: Date,
): Promise<void> {
  await trx
    .updateTable('cells')
    .set((eb) => ({
      node_template: JSON.stringify(template),
      server_version: template.serverVersion,
      generation: eb('generation', '+', 1),
      updated_at: at,
    }))
    .where('id', '=', proof.target.cellId)
    .where('state', 'not in', ['deleting', 'deleted'])
    .execute()
}

/** How the nodes of one template went, the deleted ones included. */
export async function listNodesOfTemplate(
  executor: Executor,
  _proof: Authorized<'node', 'list'>,
  cellId: string,
  template: NodeTemplate,
): Promise<readonly NodeRow[]> {
  const rows = await executor
    .selectFrom('nodes')
    .selectAll()
    .where('cell_id', '=', cellId)
    .orderBy('created_at')
    .execute()
  const hash = templateHash(template)
  return rows.filter((row) => templateHash(row.template) === hash)
}

/** A namespace that the edges of the cell serve, to be asked for; undefined when there is none. */
export async function findServedNamespace(
  executor: Executor,
  proof: Authorized<'cell', 'read'>,
): Promise<{ readonly id: string; readonly generation: number } | undefined> {
  return executor
    .selectFrom('namespaces')
    .select(['id', 'generation'])
    .where('cell_id', '=', proof.target.cellId)
    .where('served', '=', true)
    .where('state', '=', 'active')
    .orderBy('id')
    .limit(1)
    .executeTakeFirst()
}
