import { sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import type { Executor } from '../database.ts'

export interface Page {
  /** The last id of the page before; empty for the first one. */
  readonly after: string
  readonly limit: number
}

/** Whoever serves with a certificate, and how long the newest one lasts; null where there is none. */
export interface Served {
  readonly id: string
  readonly certificate: { readonly not_before: Date; readonly not_after: Date } | null
}

/** Namespaces that edges serve, by id. */
export async function listServedNamespaces(
  executor: Executor,
  _proof: Authorized<'certificate', 'list'>,
  page: Page,
): Promise<readonly (Served & { readonly tenant_id: string })[]> {
  const newest = sql`select not_before, not_after from certificates
    where purpose = 'edge_server' and namespace_id = n.id order by not_after desc limit 1`
  const { rows } = await sql<Row & { tenant_id: string }>`
    select n.id, n.tenant_id, c.not_before, c.not_after
    from (select id, tenant_id from namespaces where served and id > ${page.after} order by id limit ${page.limit}) n
    left join lateral (${newest}) c on true order by n.id`.execute(executor)
  return rows.map((row) => ({ id: row.id, tenant_id: row.tenant_id, certificate: certificateOf(row) }))
}

/** Nodes that have a certificate or are to get one, by id. */
export async function listServingNodes(
  executor: Executor,
  _proof: Authorized<'certificate', 'list'>,
  page: Page,
): Promise<readonly (Served & { readonly cell_id: string; readonly makes_own_key: boolean })[]> {
  const newest = sql`select not_before, not_after from certificates
    where purpose = 'node' and node_id = n.id order by not_after desc limit 1`
  const { rows } = await sql<Row & { cell_id: string; makes_own_key: boolean }>`
    select n.id, n.cell_id, c.not_before, c.not_after,
      n.driver = 'ec2' or exists (select from node_joins j where j.node_id = n.id) as makes_own_key
    from (select id, cell_id, driver from nodes where state <> 'deleted' and id > ${page.after}
      order by id limit ${page.limit}) n
    left join lateral (${newest}) c on true order by n.id`.execute(executor)
  return rows.map((row) => {
    const { id, cell_id, makes_own_key } = row
    return { id, cell_id, makes_own_key, certificate: certificateOf(row) }
  })
}

interface Row {
  readonly id: string
  readonly not_before: Date | null
  readonly not_after: Date | null
}

function certificateOf({ not_before, not_after }: Row): Served['certificate'] {
  return not_before === null || not_after === null ? null : { not_before, not_after }
}
