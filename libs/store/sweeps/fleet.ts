import { sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import type { CellRow } from '../cells/store.ts'
import type { Executor } from '../database.ts'
import type { NodeRow } from '../nodes/store.ts'

/** A row as a sweep reads it. */
export type Swept<Row> = Row & {
  /** A pass works on it, or it rests after one that failed: the clock leaves it alone. By the database's clock. */
  readonly busy: boolean
}

const busy = sql<boolean>`(coalesce(leased_until > now(), false) or coalesce(retry_at > now(), false))`.as('busy')

/** Cells by id, deleted ones left out. */
export async function listSweptCells(
  executor: Executor,
  _proof: Authorized<'cell', 'list'>,
  page: { readonly after: string; readonly limit: number },
): Promise<readonly Swept<CellRow>[]> {
  return executor
    .selectFrom('cells')
    .selectAll()
    .select(busy)
    .where('state', '<>', 'deleted')
    .where('id', '>', page.after)
    .orderBy('id')
    .limit(page.limit)
    .execute()
}

/** Nodes of these cells, in the order in which they were made, deleted ones left out. */
export async function listSweptNodes(
  executor: Executor,
  _proof: Authorized<'node', 'list'>,
  cellIds: readonly string[],
): Promise<readonly Swept<NodeRow>[]> {
  if (cellIds.length === 0) return []
  return executor
    .selectFrom('nodes')
    .selectAll()
    .select(busy)
    .where('state', '<>', 'deleted')
    .where('cell_id', '=', (eb) => eb.fn.any(eb.val([...cellIds])))
    .orderBy('created_at')
    .orderBy('id')
    .execute()
}
