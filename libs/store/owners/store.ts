import { sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import type { CellSize } from '#libs/domain/cells'
import type { Executor } from '../database.ts'

/** A node row that owns a machine, or is about to: none of these is `deleted`. */
export interface NodeOwner {
  readonly nodeId: string
  readonly cellId: string
  readonly region: string
  readonly slotId: string
  /** The machine that is its own; undefined until the driver has named it. */
  readonly machineId: string | undefined
  /** The driver was seen to run it. */
  readonly seen: boolean
}

/** A cell row that owns addresses and databases: none of these is `deleted`. */
export interface CellOwner {
  readonly cellId: string
  readonly size: CellSize
  readonly databaseName: string
}

/**
 * Every row that owns something in the world. Read it after the world was listed: what is made in between has its row by
 * then.
 */
export async function listNodeOwners(
  executor: Executor,
  _proof: Authorized<'orphan', 'update'>,
): Promise<readonly NodeOwner[]> {
  return nodeOwners(executor)
    .execute()
    .then((rows) => rows.map(nodeOwner))
}

/** One of them, as it is now. */
export async function findNodeOwner(
  executor: Executor,
  _proof: Authorized<'orphan', 'update'>,
  nodeId: string,
): Promise<NodeOwner | undefined> {
  const row = await nodeOwners(executor).where('nodes.id', '=', nodeId).executeTakeFirst()
  return row === undefined ? undefined : nodeOwner(row)
}

/** Every cell, as collectors ask whether something in the world is one's. */
export async function listCellOwners(
  executor: Executor,
  _proof: Authorized<'orphan', 'update'>,
): Promise<readonly CellOwner[]> {
  return cellOwners(executor).execute()
}

/** The same of one; undefined when there is no such row. */
export async function findCellOwner(
  executor: Executor,
  _proof: Authorized<'orphan', 'update'>,
  cellId: string,
): Promise<CellOwner | undefined> {
  return cellOwners(executor).where('id', '=', cellId).executeTakeFirst()
}

/** Which of these cells have a row, tombstones included. Rows stay for ever: what has none was never made by us. */
export async function knownCells(
  executor: Executor,
  _proof: Authorized<'orphan', 'update'>,
  cellIds: readonly string[],
): Promise<ReadonlySet<string>> {
  if (cellIds.length === 0) return new Set()
  const rows = await executor
    .selectFrom('cells')
    .select('id')
    .where('id', 'in', [...new Set(cellIds)])
    .execute()
  return new Set(rows.map(({ id }) => id))
}

/** The same by the names of their databases, each with its cell's id. */
export async function knownDatabases(
  executor: Executor,
  _proof: Authorized<'orphan', 'update'>,
  names: readonly string[],
): Promise<ReadonlyMap<string, { readonly cellId: string; readonly deleted: boolean }>> {
  if (names.length === 0) return new Map()
  const rows = await executor
    .selectFrom('cells')
    .select(['id', 'database_name', 'state'])
    .where('database_name', 'in', [...names])
    .execute()
  return new Map(rows.map((row) => [row.database_name, { cellId: row.id, deleted: row.state === 'deleted' }]))
}

function cellOwners(executor: Executor) {
  return executor
    .selectFrom('cells')
    .select(['id as cellId', 'size', 'database_name as databaseName'])
    .where('state', '<>', 'deleted')
}

function nodeOwners(executor: Executor) {
  return executor
    .selectFrom('nodes')
    .innerJoin('cells', 'cells.id', 'nodes.cell_id')
    .select([
      'nodes.id as nodeId',
      'nodes.cell_id as cellId',
      'nodes.slot as slotId',
      'nodes.machine_id as machineId',
      'cells.region as region',
      sql<boolean>`coalesce(nodes.observed->>'kind' = 'present', false)`.as('seen'),
    ])
    .where('nodes.state', '<>', 'deleted')
}

function nodeOwner(row: Omit<NodeOwner, 'machineId'> & { readonly machineId: string | null }): NodeOwner {
  return { ...row, machineId: row.machineId ?? undefined }
}
