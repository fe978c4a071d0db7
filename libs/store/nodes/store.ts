import type { Selectable } from 'kysely'
import type { Authorized } from '#libs/authz'
import { notFound } from '#libs/base'
import type { Executor } from '../database.ts'
import { newLeaseEnd, restEnd, StaleWriterError } from '../lease.ts'
import type { NodesTable } from './table.ts'

export type NodeRow = Selectable<NodesTable>

/** @throws AppError `not_found` */
export async function getNode(
  executor: Executor,
  proof: Authorized<'node', 'read'> | Authorized<'node', 'update'>,
): Promise<NodeRow> {
  const { nodeId } = proof.target
  const row = await executor.selectFrom('nodes').selectAll().where('id', '=', nodeId).executeTakeFirst()
  if (row === undefined) throw notFound('node', nodeId)
  return row
}

/** Of one cell, or of all; in the order in which they were made. */
export async function listNodes(
  executor: Executor,
  _proof: Authorized<'node', 'list'>,
  cellId: string | undefined,
): Promise<readonly NodeRow[]> {
  let query = executor
    .selectFrom('nodes')
    .selectAll()
    .where('state', '<>', 'deleted')
    .orderBy('created_at')
    .orderBy('id')
  if (cellId !== undefined) query = query.where('cell_id', '=', cellId)
  return query.execute()
}

export interface NodeRecord {
  readonly state?: NodeRow['state']
  readonly address?: string | null
  /** Together with the observation that `create` is about to be called with a manifest from them. */
  readonly manifestSettings?: string
  readonly observed?: object | null
  readonly conditions?: Readonly<Record<string, unknown>>
  readonly failures?: number
  /** Milliseconds during which the clock need not wake it: it failed. Without, the clock may. */
  readonly restMs?: number
  /** The version of the limits that it was seen to hold, and when. */
  readonly limitsHeld?: { readonly version: number; readonly at: Date }
}

/** Writes what a pass saw, and renews its lease. @throws StaleWriterError when the lease is no longer this pass's. */
export async function recordNode(
  executor: Executor,
  proof: Authorized<'node', 'update'>,
  holder: string,
  record: NodeRecord,
): Promise<void> {
  const row = await executor
    .updateTable('nodes')
    .set({
      updated_at: new Date(),
      leased_until: newLeaseEnd(),
      retry_at: restEnd(record.restMs),
      ...(record.state === undefined ? {} : { state: record.state }),
      ...(record.address === undefined ? {} : { address: record.address }),
      ...(record.manifestSettings === undefined ? {} : { manifest_settings: record.manifestSettings }),
      ...(record.observed === undefined
        ? {}
        : { observed: record.observed === null ? null : JSON.stringify(record.observed) }),
      ...(record.conditions === undefined ? {} : { conditions: JSON.stringify(record.conditions) }),
      ...(record.failures === undefined ? {} : { failures: record.failures }),
      ...(record.limitsHeld === undefined
        ? {}
        : { limits_held: record.limitsHeld.version, limits_held_at: record.limitsHeld.at }),
    })
    .where('id', '=', proof.target.nodeId)
    .where('lease_owner', '=', holder)
    .returning('id')
    .executeTakeFirst()
  if (row === undefined) throw new StaleWriterError(`the lease on ${proof.target.nodeId} was lost`)
}

/**
 * A new manifest for the node (its certificate was renewed, say): the next pass brings it there.
 * @param limitsVersion when it is about limits, the version that was read of the cell: a manifest of the new generation is
 * made from what is asked for then, or later.
 */
export async function bumpNodeGeneration(
  executor: Executor,
  proof: Authorized<'node', 'update'>,
  limitsVersion?: number,
): Promise<void> {
  await executor
    .updateTable('nodes')
    .set((eb) => ({
      generation: eb('generation', '+', 1),
      ...(limitsVersion === undefined ? {} : { limits_version: limitsVersion }),
    }))
    .where('id', '=', proof.target.nodeId)
    .execute()
}

/** The cell goes, and its nodes with it: each is taken away by its own reconciler. */
export async function markNodesDeleting(executor: Executor, proof: Authorized<'cell', 'update'>): Promise<void> {
  await executor
    .updateTable('nodes')
    .set({ state: 'deleting', retry_at: null })
    .where('cell_id', '=', proof.target.cellId)
    .where('state', 'not in', ['deleting', 'deleted'])
    .execute()
}
