import type { Selectable } from 'kysely'
import type { Authorized } from '#libs/authz'
import { newId, notFound } from '#libs/base'
import type { Executor, Trx } from '../database.ts'
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
  readonly machine?: { readonly id: string; readonly zone: string | null; readonly instanceType: string | null }
  readonly seenAt?: Date
  readonly publicAddress?: string | null
  /** Why it has to be replaced though it works, and until when if that is certain. */
  readonly retire?: { readonly reason: string; readonly by: Date | null }
}

/**
 * Writes what a pass saw, and renews its lease.
 * @throws StaleWriterError when the lease is no longer this pass's, or the node is to go and the pass did not know it.
 */
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
      ...(record.machine === undefined
        ? {}
        : {
            machine_id: record.machine.id,
            machine_zone: record.machine.zone,
            instance_type: record.machine.instanceType,
          }),
      ...(record.seenAt === undefined ? {} : { seen_at: record.seenAt }),
      ...(record.publicAddress === undefined ? {} : { public_address: record.publicAddress }),
      ...(record.retire === undefined ? {} : { retire_reason: record.retire.reason, retire_by: record.retire.by }),
    })
    .where('id', '=', proof.target.nodeId)
    .where('lease_owner', '=', holder)
    // Its cell drains and deletes it without the node's lease, and may have done so since the pass looked.
    .$if(record.state === 'creating' || record.state === 'ready', (query) =>
      query.where('state', 'not in', ['draining', 'deleting']),
    )
    .$if(record.state === 'failed', (query) => query.where('state', '<>', 'deleting'))
    .returning('id')
    .executeTakeFirst()
  if (row === undefined) throw new StaleWriterError(`the lease on ${proof.target.nodeId} was lost, or it is to go`)
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

/** What a cell's plan changes about its nodes. */
export interface NodeChanges {
  readonly add: readonly {
    readonly slotId: string
    readonly role: NodeRow['role']
    readonly zone: number
    readonly driver: string
    readonly template: NodeRow['template']
  }[]
  /** Ids. */
  readonly drain: readonly string[]
  readonly remove: readonly string[]
  readonly at: Date
}

/**
 * Writes all of it, or nothing. Each node's own reconciler does the rest.
 * @returns the ids of the nodes that were added, drained or removed.
 * @throws StaleWriterError when the cell's lease is no longer this pass's.
 */
export async function changeNodes(
  trx: Trx,
  proof: Authorized<'cell', 'update'>,
  holder: string,
  { add, drain, remove, at }: NodeChanges,
): Promise<readonly string[]> {
  const { cellId } = proof.target
  const cell = await trx
    .updateTable('cells')
    .set({ leased_until: newLeaseEnd() })
    .where('id', '=', cellId)
    .where('lease_owner', '=', holder)
    .returning('id')
    .executeTakeFirst()
  if (cell === undefined) throw new StaleWriterError(`the lease on ${cellId} was lost`)
  const added = add.map((node) => ({ ...node, id: newId('node') }))
  for (const { id, slotId, role, zone, driver, template } of added) {
    await trx
      .insertInto('nodes')
      .values({
        id,
        cell_id: cellId,
        driver,
        role,
        slot: slotId,
        zone_preference: zone,
        template: JSON.stringify(template),
        address: null,
        observed: null,
        manifest_settings: null,
        lease_owner: null,
        leased_until: null,
      })
      .execute()
  }
  await setState(trx, cellId, drain, { state: 'draining', draining_since: at }, ['draining', 'deleting', 'deleted'])
  await setState(trx, cellId, remove, { state: 'deleting' }, ['deleting', 'deleted'])
  return [...added.map(({ id }) => id), ...drain, ...remove]
}

async function setState(
  trx: Trx,
  cellId: string,
  ids: readonly string[],
  change: { readonly state: 'draining' | 'deleting'; readonly draining_since?: Date },
  unless: readonly NodeRow['state'][],
): Promise<void> {
  if (ids.length === 0) return
  await trx
    .updateTable('nodes')
    .set({ ...change, updated_at: new Date(), retry_at: null })
    .where('cell_id', '=', cellId)
    .where('id', 'in', [...ids])
    .where('state', 'not in', [...unless])
    .execute()
}
