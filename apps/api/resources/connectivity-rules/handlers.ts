import { authorize } from '#libs/authz'
import { type Clock, invalid } from '#libs/base'
import type { Region } from '#libs/config'
import { validateConnectivityRule } from '#libs/domain/connectivity-rules'
import type { Database } from '#libs/store'
import {
  createConnectivityRule,
  deleteConnectivityRule,
  getConnectivityRule,
  listConnectivityRules,
} from '#libs/store/connectivity-rules'
import { getNamespace } from '#libs/store/namespaces'
import { memberOf } from '../../auth/member.ts'
import { type PageTokens, pageOf } from '../../paging/page-tokens.ts'
import { mutate, requiredVersion } from '../operations/mutation.ts'
import { settled } from '../operations/settled.ts'
import { operationToWire } from '../operations/wire.ts'
import { type ConnectivityRuleHandlers, connectivityRuleSpecFromWire, connectivityRuleToWire } from './wire.ts'

export interface ConnectivityRuleDeps {
  readonly database: Database
  readonly clock: Clock
  readonly regions: readonly Region[]
  readonly pageTokens: PageTokens
}

export function connectivityRuleHandlers(deps: ConnectivityRuleDeps): ConnectivityRuleHandlers {
  const { database, pageTokens } = deps
  const limits = { regions: deps.regions.map((region) => region.id) }
  return {
    async CreateConnectivityRule(context, request) {
      const { tenantId } = memberOf(context.claims)
      const proof = authorize(context.claims, 'account', 'create_connectivity_rule', { tenantId })
      const { operation } = await mutate(deps, { rpc: 'CreateConnectivityRule', request, context }, async (trx) => {
        const spec = connectivityRuleSpecFromWire(request.spec)
        const problems = validateConnectivityRule(spec, limits)
        if (problems.length > 0) throw invalid(problems)
        const row = await createConnectivityRule(trx, proof, spec)
        return settled('connectivity_rule', row.id, row.resource_version)
      })
      return { connectivityRuleId: operation.resource_id, asyncOperation: operationToWire(operation) }
    },

    async GetConnectivityRules({ claims }, request) {
      const { tenantId } = memberOf(claims)
      const proof = authorize(claims, 'connectivity_rule', 'list', { tenantId })
      const namespaceId = request.namespace ?? ''
      // Who may see every rule may not see every namespace, nor which rules it has.
      const ofNamespace =
        namespaceId === '' ? undefined : authorize(claims, 'namespace', 'read', { tenantId, namespaceId })
      const scope = { tenantId, rpc: 'GetConnectivityRules', filter: { namespace: namespaceId } }
      const page = pageTokens.read(scope, request)
      return database.ofTenant(tenantId, async (executor) => {
        const namespace = ofNamespace === undefined ? undefined : await getNamespace(executor, ofNamespace)
        const ids = namespace === undefined ? undefined : (namespace.spec.connectivityRuleIds ?? [])
        const rows = await listConnectivityRules(executor, proof, { ids, after: page.after, limit: page.size + 1 })
        const { items, next } = pageOf(page, rows, (row) => row.id)
        return {
          connectivityRules: items.map(connectivityRuleToWire),
          nextPageToken: next === undefined ? '' : pageTokens.write(scope, next),
        }
      })
    },

    async GetConnectivityRule({ claims }, request) {
      const { tenantId } = memberOf(claims)
      const ruleId = request.connectivityRuleId ?? ''
      const proof = authorize(claims, 'connectivity_rule', 'read', { tenantId, ruleId })
      return database.ofTenant(tenantId, async (executor) => ({
        connectivityRule: connectivityRuleToWire(await getConnectivityRule(executor, proof)),
      }))
    },

    async DeleteConnectivityRule(context, request) {
      const { tenantId } = memberOf(context.claims)
      const ruleId = request.connectivityRuleId ?? ''
      const proof = authorize(context.claims, 'connectivity_rule', 'delete', { tenantId, ruleId })
      const version = requiredVersion(request)
      const { operation } = await mutate(deps, { rpc: 'DeleteConnectivityRule', request, context }, async (trx) => {
        await deleteConnectivityRule(trx, proof, version)
        return settled('connectivity_rule', ruleId, Number(version))
      })
      return { asyncOperation: operationToWire(operation) }
    },
  }
}
