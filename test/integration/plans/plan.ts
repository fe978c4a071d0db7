import type { Client } from 'pg'
import type { Statement } from './recorded-statements.ts'

/** A node of a plan, as `explain (format json)` writes it. */
interface PlanNode {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Plan Rows': number
  readonly Plans?: readonly PlanNode[]
}

/** What is slow about a plan: whole tables that are read, and many rows that are sorted. Empty for a good one. */
export async function slowParts(
  client: Client,
  statement: Statement,
  rowsOf: ReadonlyMap<string, number>,
  limits: { readonly rows: number },
): Promise<readonly string[]> {
  const { rows } = await client.query<{ 'QUERY PLAN': readonly [{ readonly Plan: PlanNode }] }>(
    `explain (format json) ${statement.text}`,
    [...statement.values],
  )
  const plan = rows[0]?.['QUERY PLAN'][0].Plan
  if (plan === undefined) throw new Error(`no plan for ${statement.text}`)
  return [...nodes(plan)].flatMap((node) => {
    const table = node['Relation Name'] ?? ''
    if (node['Node Type'] === 'Seq Scan' && (rowsOf.get(table) ?? 0) > limits.rows) return [`reads all of ${table}`]
    const [child] = node.Plans ?? []
    if (node['Node Type'].endsWith('Sort') && (child?.['Plan Rows'] ?? 0) > limits.rows) {
      return [`sorts ${child?.['Plan Rows']} rows`]
    }
    return []
  })
}

function* nodes(node: PlanNode): Generator<PlanNode> {
  yield node
  for (const child of node.Plans ?? []) yield* nodes(child)
}
