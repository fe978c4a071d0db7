import { type Selectable, sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import { AppError, newId, notFound } from '#libs/base'
import { type ConnectivityRuleSpec, maxRules } from '#libs/domain/connectivity-rules'
import type { Executor, Trx } from '../database.ts'
import { deleteAtVersion } from '../delete-at-version.ts'
import type { ConnectivityRulesTable } from './table.ts'

export type ConnectivityRuleRow = Selectable<ConnectivityRulesTable>

/** What the row asks for. */
export function connectivityRuleSpecOf(row: ConnectivityRuleRow): ConnectivityRuleSpec {
  if (row.kind === 'public') return { kind: 'public', stableIps: row.stable_ips }
  return { kind: 'private', connectionId: row.connection_id, region: row.region, gcpProjectId: row.gcp_project_id }
}

/**
 * @throws AppError `already_exists` for a second public rule, and for a second rule of one connection; `precondition` when
 * the account has as many as it may have. Of several that ask at once at that limit, a few may pass beyond it.
 */
export async function createConnectivityRule(
  trx: Trx,
  proof: Authorized<'account', 'create_connectivity_rule'>,
  spec: ConnectivityRuleSpec,
): Promise<ConnectivityRuleRow> {
  const { tenantId } = proof.target
  const row = await trx
    .insertInto('connectivity_rules')
    .values({ id: newId('rule'), tenant_id: tenantId, ...columns(spec) })
    .onConflict((conflict) => conflict.doNothing())
    .returningAll()
    .executeTakeFirst()
  if (row === undefined) throw taken(spec)
  const { rows } = await sql<{ count: number }>`
    select count(*)::int as count from connectivity_rules where tenant_id = ${tenantId} and deleted_at is null`.execute(
    trx,
  )
  if ((rows[0]?.count ?? 0) <= maxRules) return row
  throw new AppError('precondition', `the account has ${maxRules} connectivity rules: delete one first`)
}

function taken(spec: ConnectivityRuleSpec): AppError {
  return new AppError(
    'already_exists',
    spec.kind === 'public'
      ? 'the account has a public connectivity rule: use that one'
      : `a connectivity rule for the connection ${JSON.stringify(spec.connectionId)} exists: use that one`,
  )
}

/** @throws AppError `not_found` */
export async function getConnectivityRule(
  executor: Executor,
  proof: Authorized<'connectivity_rule', 'read'> | Authorized<'connectivity_rule', 'delete'>,
): Promise<ConnectivityRuleRow> {
  const { tenantId, ruleId } = proof.target
  const row = await executor
    .selectFrom('connectivity_rules')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('id', '=', ruleId)
    .where('deleted_at', 'is', null)
    .executeTakeFirst()
  if (row === undefined) throw notFound('connectivity rule', ruleId)
  return row
}

export interface ConnectivityRulePage {
  /** Only these; undefined: all. */
  readonly ids: readonly string[] | undefined
  /** The last id of the page before. */
  readonly after: string | undefined
  readonly limit: number
}

/** By id, ascending. */
export async function listConnectivityRules(
  executor: Executor,
  proof: Authorized<'connectivity_rule', 'list'>,
  page: ConnectivityRulePage,
): Promise<readonly ConnectivityRuleRow[]> {
  let query = executor
    .selectFrom('connectivity_rules')
    .selectAll()
    .where('tenant_id', '=', proof.target.tenantId)
    .where('deleted_at', 'is', null)
    .orderBy('id')
    .limit(page.limit)
  if (page.ids !== undefined) query = query.where('id', 'in', [...page.ids, ''])
  if (page.after !== undefined) query = query.where('id', '>', page.after)
  return query.execute()
}

/**
 * @throws AppError `not_found`; `precondition` when the resource version is not the latest, and while namespaces use the
 * rule.
 */
export async function deleteConnectivityRule(
  trx: Trx,
  proof: Authorized<'connectivity_rule', 'delete'>,
  resourceVersion: string,
): Promise<void> {
  const present = await getConnectivityRule(trx, proof)
  await deleteAtVersion(trx, 'connectivity_rules', 'connectivity rule', present, resourceVersion)
  // Looked at after the row is locked: whoever attaches it at the same time locks it too, and sees it gone or is seen here.
  const users = await trx
    .selectFrom('namespaces')
    .select('id')
    .where('tenant_id', '=', present.tenant_id)
    .where('state', '<>', 'deleted')
    .where(sql<boolean>`spec->'connectivityRuleIds' @> ${JSON.stringify([present.id])}::jsonb`)
    .orderBy('id')
    .limit(namedUsers + 1)
    .execute()
  if (users.length > 0) throw inUse(users.map(({ id }) => id))
}

const namedUsers = 10

function inUse(namespaces: readonly string[]): AppError {
  const named = namespaces.slice(0, namedUsers).join(', ')
  const more = namespaces.length > namedUsers ? ' and others' : ''
  return new AppError('precondition', `the connectivity rule is in use: take it out of ${named}${more} first`)
}

function columns(spec: ConnectivityRuleSpec) {
  if (spec.kind === 'public') return { kind: spec.kind, stable_ips: spec.stableIps }
  const { kind, connectionId, region, gcpProjectId } = spec
  return { kind, connection_id: connectionId, region, gcp_project_id: gcpProjectId }
}
