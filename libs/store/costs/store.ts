import { sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import { notFound } from '#libs/base'
import type { CellSize } from '#libs/domain/cells'
import { requestLimits } from '#libs/domain/namespaces'
import type { NodeRole } from '#libs/domain/nodes'
import type { Executor } from '../database.ts'

/** What a cell has and carries, for its cost and its fullness. */
export interface CellUse {
  readonly cellId: string
  readonly region: string
  readonly driver: string
  readonly size: CellSize
  /** Of nodes that have a machine, or may have one by now. */
  readonly machines: readonly {
    readonly role: NodeRole
    readonly instanceType: string | undefined
    readonly count: number
  }[]
  /** Public addresses, which belong to slots. */
  readonly addresses: number
  readonly hasDatabase: boolean
  readonly namespaces: number
  readonly namespaceLimit: number
  /** What all its namespaces together may ask for in a second. */
  readonly requestsPerSecond: number
}

interface UseRow {
  readonly id: string
  readonly region: string
  readonly driver: string
  readonly size: CellSize
  readonly has_database: boolean
  readonly namespace_limit: number
  readonly machines: readonly {
    readonly role: NodeRole
    readonly instance_type: string | null
    readonly count: number
  }[]
  readonly addresses: number
  /** How many namespaces have so many units of capacity. */
  readonly units: readonly { readonly units: number; readonly count: number }[]
}

/** By id, ascending. @param page a limit that is left out means all */
export async function listCellUse(
  executor: Executor,
  _proof: Authorized<'cost', 'list'>,
  { region, after = '', limit }: { readonly region?: string; readonly after?: string; readonly limit?: number },
): Promise<readonly CellUse[]> {
  const rows = await read(
    executor,
    sql`c.state <> 'deleted' and c.id > ${after} and (${region ?? null}::text is null or c.region = ${region ?? null})`,
    limit,
  )
  return rows.map(useOf)
}

/** @throws AppError `not_found` */
export async function getCellUse(executor: Executor, proof: Authorized<'cost', 'read'>): Promise<CellUse> {
  const { cellId } = proof.target
  const [row] = await read(executor, sql`c.id = ${cellId}`, 1)
  if (row === undefined) throw notFound('cell', cellId)
  return useOf(row)
}

async function read(
  executor: Executor,
  where: ReturnType<typeof sql>,
  limit: number | undefined,
): Promise<readonly UseRow[]> {
  const { rows } = await sql<UseRow>`
    with chosen as (select * from cells c where ${where} order by c.id limit ${limit ?? null}),
    used as (
      select n.cell_id, n.role, n.instance_type, count(*)::int as count from nodes n join chosen on chosen.id = n.cell_id
      where n.state <> 'deleted' and (n.observed is not null or n.machine_id is not null)
      group by n.cell_id, n.role, n.instance_type),
    reached as (
      select n.cell_id, count(distinct n.slot)::int as count from nodes n join chosen on chosen.id = n.cell_id
      where n.state <> 'deleted' and n.public_address is not null group by n.cell_id),
    asked as (
      select s.cell_id, coalesce((s.spec->'capacity'->>'units')::int, 1) as units, count(*)::int as count
      from namespaces s join chosen on chosen.id = s.cell_id where s.state <> 'deleted' group by 1, 2)
    select chosen.id, chosen.region, chosen.driver, chosen.size, chosen.namespace_limit,
      chosen.databases_observed is not null as has_database,
      coalesce((select jsonb_agg(jsonb_build_object('role', role, 'instance_type', instance_type, 'count', count)
        order by role, instance_type) from used where used.cell_id = chosen.id), '[]') as machines,
      coalesce((select count from reached where reached.cell_id = chosen.id), 0) as addresses,
      coalesce((select jsonb_agg(jsonb_build_object('units', units, 'count', count))
        from asked where asked.cell_id = chosen.id), '[]') as units
    from chosen order by chosen.id`.execute(executor)
  return rows
}

function useOf(row: UseRow): CellUse {
  const perSecond = ({ units, count }: UseRow['units'][number]) =>
    requestLimits({ mode: 'provisioned', units }).requestsPerSecond * count
  return {
    cellId: row.id,
    region: row.region,
    driver: row.driver,
    size: row.size,
    machines: row.machines.map(({ role, instance_type: type, count }) => ({
      role,
      instanceType: type ?? undefined,
      count,
    })),
    addresses: row.addresses,
    hasDatabase: row.has_database,
    namespaces: row.units.reduce((all, { count }) => all + count, 0),
    namespaceLimit: row.namespace_limit,
    requestsPerSecond: row.units.reduce((all, some) => all + perSecond(some), 0),
  }
}
