import { sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import { AppError, newId, notFound } from '#libs/base'
import { chooseCell } from '#libs/domain/cells'
import { lockPlacements } from '../cells/store.ts'
import type { Trx } from '../database.ts'
import type { MoveRow } from './store.ts'

export interface NewMove {
  readonly namespaceId: string
  /** Undefined: the one that a new namespace would get. */
  readonly targetCellId: string | undefined
}

/**
 * Begins a move, unless something speaks against it. Placements of the region wait meanwhile: two at once must not both take
 * a cell's last place.
 * @throws AppError `not_found`, `precondition` with what speaks against it
 */
export async function beginMove(trx: Trx, proof: Authorized<'move', 'create'>, wish: NewMove): Promise<MoveRow> {
  const { namespaceId } = wish
  const before = await trx.selectFrom('namespaces').select('region').where('id', '=', namespaceId).executeTakeFirst()
  if (before === undefined) throw notFound('namespace', namespaceId)
  await lockPlacements(trx, before.region)
  const namespace = await trx
    .selectFrom('namespaces')
    .select(['id', 'tenant_id', 'region', 'state', 'cell_id'])
    .where('id', '=', namespaceId)
    .executeTakeFirstOrThrow()
  if (namespace.state === 'deleted') throw notFound('namespace', namespaceId)
  const refuse = (reason: string): never => {
    throw new AppError('precondition', `namespace ${JSON.stringify(namespaceId)} cannot be moved: ${reason}`)
  }
  if (namespace.cell_id === null || !['active', 'update_failed'].includes(namespace.state)) {
    return refuse(`it is ${namespace.state}`)
  }
  const open = await trx
    .selectFrom('moves')
    .select('id')
    .where('namespace_id', '=', namespaceId)
    .where('finished_at', 'is', null)
    .executeTakeFirst()
  if (open !== undefined) return refuse(`it is being moved already (${open.id})`)
  const bound = await nexusNeighbour(trx, namespaceId)
  if (bound !== undefined) return refuse(`the Nexus endpoint ${bound} connects it with others on its cell`)
  const cells = await cellsOf(trx, namespace.region)
  const source = cells.find((cell) => cell.id === namespace.cell_id)
  if (source?.state !== 'ready') return refuse(`its cell ${namespace.cell_id} is not ready`)
  if (source.legacy) return refuse(`its cell ${source.id} was made before cells could replicate`)
  const target = wish.targetCellId ?? chosen(cells, source.id)
  if (target === undefined) return refuse('no other cell of its region is ready and has room')
  const cell = cells.find((candidate) => candidate.id === target)
  if (cell === undefined) return refuse(`there is no cell ${target} in its region ${namespace.region}`)
  if (cell.id === source.id) return refuse(`it is on the cell ${target} already`)
  if (cell.state !== 'ready') return refuse(`the cell ${target} is ${cell.state}`)
  if (cell.draining) return refuse(`the cell ${target} is being drained`)
  if (cell.legacy) return refuse(`the cell ${target} was made before cells could replicate`)
  if (cell.namespaces >= cell.limit) return refuse(`the cell ${target} is full`)
  return trx
    .insertInto('moves')
    .values({
      id: newId('move'),
      namespace_id: namespaceId,
      source_cell_id: source.id,
      target_cell_id: target,
      requested_by: proof.actor.id,
    })
    .returningAll()
    .executeTakeFirstOrThrow()
}

/** Namespaces that are on the cell and on no move away from it. */
export async function listToEvacuate(
  trx: Trx,
  _proof: Authorized<'move', 'create'>,
  cellId: string,
): Promise<readonly string[]> {
  const rows = await trx
    .selectFrom('namespaces')
    .select('id')
    .where('cell_id', '=', cellId)
    .where('state', '<>', 'deleted')
    .where(
      sql<boolean>`not exists (select from moves m where m.namespace_id = namespaces.id and m.finished_at is null)`,
    )
    .orderBy('id')
    .execute()
  return rows.map((row) => row.id)
}

interface MoveCell {
  readonly id: string
  readonly state: 'creating' | 'ready' | 'failed' | 'deleting' | 'deleted'
  readonly draining: boolean
  readonly legacy: boolean
  readonly limit: number
  /** With those that are on their way to it. */
  readonly namespaces: number
}

function chosen(cells: readonly MoveCell[], source: string): string | undefined {
  const others = cells.filter(({ id, state, legacy, namespaces, limit }) => {
    return id !== source && state === 'ready' && !legacy && namespaces < limit
  })
  const choice = chooseCell(others, Number.POSITIVE_INFINITY)
  return choice.kind === 'existing' ? choice.cellId : undefined
}

async function cellsOf(trx: Trx, region: string): Promise<readonly MoveCell[]> {
  const { rows } = await sql<MoveCell>`
    select c.id, c.state, c.draining, c.legacy_cluster_name is not null as legacy, c.namespace_limit as limit,
      ((select count(*) from namespaces n where n.cell_id = c.id and n.state <> 'deleted')
       + (select count(*) from moves m join namespaces n on n.id = m.namespace_id
          where m.target_cell_id = c.id and m.finished_at is null and n.cell_id <> c.id))::int as namespaces
    from cells c where c.region = ${region} and c.state <> 'deleted' order by c.id`.execute(trx)
  return rows
}

/** An endpoint that it shares with another namespace: a router sends nothing to another cell. */
async function nexusNeighbour(trx: Trx, namespaceId: string): Promise<string | undefined> {
  const { rows } = await sql<{ name: string }>`
    select name from nexus_endpoints where state <> 'deleted'
      and (target_namespace_id = ${namespaceId} or ${namespaceId} = any(allowed_namespace_ids))
      and not (target_namespace_id = ${namespaceId} and allowed_namespace_ids <@ array[${namespaceId}]::text[])
    order by name limit 1`.execute(trx)
  return rows[0]?.name
}
