import { type Selectable, sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import { newId, notFound } from '#libs/base'
import { type CellCandidate, type CellSize, chooseCell } from '#libs/domain/cells'
import type { NodeTemplate } from '#libs/domain/nodes'
import type { Executor, Trx } from '../database.ts'
import { newLeaseEnd, restEnd, StaleWriterError } from '../lease.ts'
import { lastDoneTemplate } from '../rollouts/new-cells.ts'
import type { CellsTable } from './table.ts'

export type CellRow = Selectable<CellsTable>

/** What a new cell of a region is like. */
export interface CellTemplate {
  readonly region: string
  readonly driver: string
  readonly namespaceLimit: number
  readonly size: CellSize
  readonly historyShards: number
  readonly nodeTemplate: NodeTemplate
  /** The new cell's database password, sealed for the place `cells/<id>/database`. */
  readonly sealPassword: (cellId: string) => string
}

export interface Placement {
  readonly cellId: string
  /** Whether the cell was made for this. */
  readonly created: boolean
}

/**
 * Decides which cell hosts a namespace, once and for ever, and makes a new cell when the existing ones are full or drain;
 * its nodes are the cell's own plan's to add. A region's placements are made one after the other: two at once must not both take the last place.
 */
export async function placeNamespace(
  trx: Trx,
  proof: Authorized<'namespace', 'update'>,
  _mayCreate: Authorized<'cell', 'create'>,
  template: CellTemplate,
): Promise<Placement> {
  await lockPlacements(trx, template.region)
  const choice = chooseCell(await candidates(trx, template.region), template.namespaceLimit)
  const cellId = choice.kind === 'existing' ? choice.cellId : await insertCell(trx, template)
  await trx
    .updateTable('namespaces')
    .set({ cell_id: cellId })
    .where('id', '=', proof.target.namespaceId)
    .where('cell_id', 'is', null)
    .execute()
  return { cellId, created: choice.kind === 'create' }
}

/** Waits until nobody else places a namespace in the region, or makes, grows or retires a cell, or begins or ends a rollout. */
export async function lockPlacements(trx: Trx, region: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext(${`place ${region}`}))`.execute(trx)
}

/** One more cell, whether it is needed or not. @returns its id. */
export async function createCell(
  trx: Trx,
  _mayCreate: Authorized<'cell', 'create'>,
  template: CellTemplate,
): Promise<string> {
  await lockPlacements(trx, template.region)
  return insertCell(trx, template)
}

async function candidates(trx: Trx, region: string): Promise<CellCandidate[]> {
  return trx
    .selectFrom('cells')
    .select([
      'id',
      'state',
      'draining',
      // With those that are on their way to it, as moves count them.
      sql<number>`((select count(*) from namespaces n where n.cell_id = cells.id and n.state <> 'deleted')
        + (select count(*) from moves m join namespaces n on n.id = m.namespace_id
           where m.target_cell_id = cells.id and m.finished_at is null and n.cell_id <> cells.id))::int`.as(
        'namespaces',
      ),
    ])
    .where('region', '=', region)
    .where('state', '<>', 'deleted')
    .execute()
}

async function insertCell(trx: Trx, template: CellTemplate): Promise<string> {
  const id = newId('cell')
  const nodeTemplate = (await lastDoneTemplate(trx, template.region)) ?? template.nodeTemplate
  await trx
    .insertInto('cells')
    .values({
      id,
      region: template.region,
      driver: template.driver,
      namespace_limit: template.namespaceLimit,
      size: template.size,
      history_shards: template.historyShards,
      node_template: JSON.stringify(nodeTemplate),
      server_version: nodeTemplate.serverVersion,
      database_name: id.replaceAll('-', '_'),
      database_password_sealed: template.sealPassword(id),
      databases_observed: null,
      lease_owner: null,
      leased_until: null,
    })
    .execute()
  return id
}

/** @throws AppError `not_found` */
export async function getCell(
  executor: Executor,
  proof: Authorized<'cell', 'read'> | Authorized<'cell', 'update'>,
): Promise<CellRow> {
  const { cellId } = proof.target
  const row = await executor.selectFrom('cells').selectAll().where('id', '=', cellId).executeTakeFirst()
  if (row === undefined) throw notFound('cell', cellId)
  return row
}

export type CellSummary = CellRow & { readonly namespaces: number }

/** With how many namespaces it has. @throws AppError `not_found` */
export async function getCellSummary(executor: Executor, proof: Authorized<'cell', 'read'>): Promise<CellSummary> {
  const { cellId } = proof.target
  const row = await summaries(executor).where('id', '=', cellId).executeTakeFirst()
  if (row === undefined) throw notFound('cell', cellId)
  return row
}

/** By id, ascending, each with how many namespaces it has. */
export async function listCells(
  executor: Executor,
  _proof: Authorized<'cell', 'list'>,
  page: { readonly after: string; readonly limit: number },
): Promise<readonly CellSummary[]> {
  return summaries(executor)
    .where('id', '>', page.after)
    .where('state', '<>', 'deleted')
    .orderBy('id')
    .limit(page.limit)
    .execute()
}

/** Every one of a region that is not being deleted, by id. */
export async function listCellsOfRegion(
  executor: Executor,
  _proof: Authorized<'cell', 'list'>,
  region: string,
): Promise<readonly CellSummary[]> {
  return summaries(executor)
    .where('region', '=', region)
    .where('state', 'not in', ['deleting', 'deleted'])
    .orderBy('id')
    .execute()
}

/** The id of a cell of the region that has not been ready yet. Call it before `createCell`, in its transaction. */
export async function findCellComingUp(
  trx: Trx,
  _mayCreate: Authorized<'cell', 'create'>,
  region: string,
): Promise<string | undefined> {
  await lockPlacements(trx, region)
  const row = await trx
    .selectFrom('cells')
    .select('id')
    .where('region', '=', region)
    .where('state', '=', 'creating')
    .orderBy('id')
    .limit(1)
    .executeTakeFirst()
  return row?.id
}

function summaries(executor: Executor) {
  return executor
    .selectFrom('cells')
    .selectAll()
    .select((eb) =>
      eb
        .selectFrom('namespaces')
        .select((inner) => inner.fn.countAll<number>().as('count'))
        .whereRef('namespaces.cell_id', '=', 'cells.id')
        .where('namespaces.state', '<>', 'deleted')
        .$asScalar()
        .$notNull()
        .as('namespaces'),
    )
}

export interface CellRecord {
  readonly state?: CellRow['state']
  readonly databasesObserved?: object | null
  readonly bootstrappedAt?: Date
  readonly conditions?: Readonly<Record<string, unknown>>
  readonly failures?: number
  /** Milliseconds during which the clock need not wake it: it failed. Without, the clock may. */
  readonly restMs?: number
}

/**
 * Writes what a pass saw, and renews its lease.
 * @throws StaleWriterError when the lease is no longer this pass's, or the cell is to go and the pass did not know it.
 */
export async function recordCell(
  executor: Executor,
  proof: Authorized<'cell', 'update'>,
  holder: string,
  record: CellRecord,
): Promise<void> {
  const row = await executor
    .updateTable('cells')
    .set({
      updated_at: new Date(),
      leased_until: newLeaseEnd(),
      retry_at: restEnd(record.restMs),
      ...(record.state === undefined ? {} : { state: record.state }),
      ...(record.databasesObserved === undefined
        ? {}
        : { databases_observed: record.databasesObserved === null ? null : JSON.stringify(record.databasesObserved) }),
      ...(record.bootstrappedAt === undefined ? {} : { bootstrapped_at: record.bootstrappedAt }),
      ...(record.conditions === undefined ? {} : { conditions: JSON.stringify(record.conditions) }),
      ...(record.failures === undefined ? {} : { failures: record.failures }),
    })
    .where('id', '=', proof.target.cellId)
    .where('lease_owner', '=', holder)
    // Who retires it has no lease, and may have come since the pass looked.
    .$if(record.state === 'ready', (query) => query.where('state', '<>', 'deleting'))
    .returning('id')
    .executeTakeFirst()
  if (row === undefined) throw new StaleWriterError(`the lease on ${proof.target.cellId} was lost, or it is retired`)
}
