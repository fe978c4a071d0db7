import { type ExpressionBuilder, sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import type { Executor } from '../database.ts'
import type { Schema } from '../schema.ts'

/** `name_observed` of a cell as it is written. */
export interface CellNameRecord {
  readonly kind: 'present' | 'unknown'
  /** What was accepted last; absent until something was. */
  readonly values?: readonly string[]
  /** Why the last attempt failed. */
  readonly reason?: string
}

export interface CellName {
  readonly id: string
  readonly region: string
  /** The cell is gone, and its name must go. */
  readonly gone: boolean
  readonly observed: CellNameRecord | null
  /** Where tenants reach its edges that are ready and stay, ascending. */
  readonly addresses: readonly string[]
}

/** Every cell that has a name, or is to have one. */
export async function listCellNames(
  executor: Executor,
  _proof: Authorized<'cell', 'list'>,
): Promise<readonly CellName[]> {
  const rows = await executor
    .selectFrom('cells')
    .select((eb) => ['id', 'region', 'state', 'name_observed', edgeAddresses(eb).as('addresses')])
    .where((eb) => eb.or([eb('state', '<>', 'deleted'), eb('name_observed', 'is not', null)]))
    .orderBy('id')
    .execute()
  return rows.map((row) => ({
    id: row.id,
    region: row.region,
    gone: row.state === 'deleted',
    observed: row.name_observed as CellNameRecord | null,
    addresses: row.addresses,
  }))
}

function edgeAddresses(eb: ExpressionBuilder<Schema, 'cells'>) {
  return eb
    .selectFrom('nodes')
    .select(sql<string[]>`coalesce(array_agg(distinct public_address order by public_address), '{}')`.as('list'))
    .whereRef('nodes.cell_id', '=', 'cells.id')
    .where('nodes.state', '=', 'ready')
    .where('nodes.role', 'in', ['all', 'edge'])
    .where('nodes.public_address', 'is not', null)
    .$asScalar()
    .$notNull()
}

/** Writes what was seen of the cell's name, or `unknown` before it is changed; null once it is withdrawn. */
export async function recordCellName(
  executor: Executor,
  proof: Authorized<'cell', 'update'>,
  observed: CellNameRecord | null,
): Promise<void> {
  await executor
    .updateTable('cells')
    .set({ name_observed: observed === null ? null : JSON.stringify(observed) })
    .where('id', '=', proof.target.cellId)
    .execute()
}

/** What the rows say of a name: whether it is wanted, and what was published under it last. */
export interface NameOwner {
  readonly id: string
  readonly wanted: boolean
  /** What a namespace's name points at, or where a cell's leads; undefined as long as that is on the way. */
  readonly values: readonly string[] | undefined
  readonly cellId: string
}

/** Those of the ids that are, or ever were, a cell or a namespace. */
export async function findNameOwners(
  executor: Executor,
  _proof: Authorized<'orphan', 'update'>,
  ids: readonly string[],
): Promise<ReadonlyMap<string, NameOwner>> {
  return ownersById(await nameOwners(executor, [...ids]))
}

/** All whose name was published in these regions: what the zone has to hold. */
export async function listPublishedNames(
  executor: Executor,
  _proof: Authorized<'orphan', 'update'>,
  regions: readonly string[],
): Promise<readonly NameOwner[]> {
  const { rows } = await sql<OwnerRow>`
    ${ownerColumns}
    where region = any(${[...regions]}) and state <> 'deleted' and seen ->> 'kind' = 'present'`.execute(executor)
  return [...ownersById(rows).values()]
}

interface OwnerRow {
  readonly id: string
  readonly state: string
  readonly cell_id: string | null
  readonly seen: { readonly kind: string; readonly values?: readonly string[]; readonly target?: string } | null
}

const ownerColumns = sql`select id, state, cell_id, seen from (
  select id, state, region, cell_id, name_observed as seen from namespaces
  union all select id, state, region, id, name_observed from cells) as named`

async function nameOwners(executor: Executor, ids: string[]): Promise<readonly OwnerRow[]> {
  const { rows } = await sql<OwnerRow>`${ownerColumns} where id = any(${ids})`.execute(executor)
  return rows
}

function ownersById(rows: readonly OwnerRow[]): ReadonlyMap<string, NameOwner> {
  return new Map(
    rows.map(({ id, state, cell_id, seen }) => {
      const values =
        seen?.kind === 'present' ? (seen.values ?? (seen.target === undefined ? [] : [seen.target])) : undefined
      return [id, { id, wanted: state !== 'deleted', values, cellId: cell_id ?? '' }]
    }),
  )
}
