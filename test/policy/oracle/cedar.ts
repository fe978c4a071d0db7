import { readFileSync } from 'node:fs'
import {
  type CedarValueJson,
  type EntityJson,
  preparsePolicySet,
  statefulIsAuthorized,
} from '@cedar-policy/cedar-wasm/nodejs'
import type { Claims } from '#libs/authz'
import { actionMatches, type CustomPermission, customResourceTypeNames } from '#libs/domain/custom-roles'
import type { Case, Thing } from './case.ts'

const policies = readFileSync(new URL('policies.cedar', import.meta.url), 'utf8')

/** The actions of custom roles that the policies speak of. */
export const cloudActions: readonly string[] = cloudActionsIn(policies)

/** The methods, and what else is asked, that the policies speak of. */
export const askedActions: ReadonlySet<string> = new Set(
  Array.from(policies.matchAll(/Action::"([^"]+)"/g), ([, name]) => name ?? ''),
)

/**
 * A policy set an action, with the policies that name it and those for all actions: Cedar looks at every policy of a set,
 * and a hundred that are of other actions would only make it slow.
 */
const relevant = new Map<string, readonly string[]>()
for (const action of askedActions) {
  const named = policyTexts().filter((text) => !text.includes('Action::') || text.includes(`Action::"${action}"`))
  relevant.set(action, cloudActionsIn(named.join()))
  const parsed = preparsePolicySet(action, { staticPolicies: [crossing(), ...named].join('\n') })
  if (parsed.type === 'failure') throw new Error(parsed.errors.map(({ message }) => message).join('; '))
}

function cloudActionsIn(text: string): readonly string[] {
  return [...new Set(text.match(/cloud\.[\w.]+/g))]
}

/** Without comments; the one that forbids, which all sets have, is not among them. */
function policyTexts(): readonly string[] {
  return policies
    .replaceAll(/^\s*\/\/.*$/gm, '')
    .split(';')
    .map((text) => `${text.trim()};`)
    .filter((text) => text.startsWith('permit'))
}

/** The policy that keeps tenants apart. */
function crossing(): string {
  const found = /^forbid[^;]*;/m.exec(policies)?.[0]
  if (found === undefined) throw new Error('there is no policy that keeps tenants apart')
  return found
}

/** The question as Cedar takes it: made once, so that measuring Cedar does not measure this. */
export function cedarCall({ claims, question, thing }: Case) {
  const principal = principalOf(claims, relevant.get(question.action) ?? [])
  return {
    principal: principal.uid,
    action: { type: 'Action', id: question.action },
    resource: { type: 'Thing', id: 'it' },
    context: {},
    preparsedPolicySetId: question.action,
    entities: [principal, entityOf(thing)],
  }
}

/** @throws Error when a policy cannot be evaluated: that would be a silent no. */
export function cedarAllows(call: ReturnType<typeof cedarCall>): boolean {
  const answer = statefulIsAuthorized(call)
  if (answer.type === 'failure') throw new Error(answer.errors.map(({ message }) => message).join('; '))
  const { decision, diagnostics } = answer.response
  if (diagnostics.errors.length > 0) throw new Error(JSON.stringify(diagnostics.errors))
  return decision === 'allow'
}

function principalOf(
  claims: Claims,
  asked: readonly string[],
): EntityJson & { readonly uid: { readonly type: string; readonly id: string } } {
  switch (claims.kind) {
    case 'user':
    case 'service_account': {
      const grantedAs = (permission: string) =>
        [...claims.namespaceGrants].flatMap(([id, granted]) => (granted === permission ? [id] : []))
      return {
        uid: { type: 'Member', id: 'me' },
        attrs: {
          id: claims.principalId,
          tenant: claims.tenantId,
          roles: [...claims.roles],
          adminOf: grantedAs('admin'),
          writerOf: grantedAs('write'),
          readerOf: grantedAs('read'),
        },
        tags: tagsOf(claims.customPermissions, asked),
        parents: [],
      }
    }
    case 'operator':
      return { uid: { type: 'Operator', id: 'me' }, attrs: { name: claims.name, role: claims.role }, parents: [] }
    case 'system':
      return { uid: { type: 'System', id: 'me' }, attrs: {}, parents: [] }
    case 'anonymous':
      return { uid: { type: 'Anonymous', id: 'me' }, attrs: {}, parents: [] }
  }
}

/** Only of the actions that the policies at hand ask for. */
function tagsOf(permissions: readonly CustomPermission[], asked: readonly string[]): Record<string, CedarValueJson> {
  const tags: Record<string, string[]> = {}
  for (const { resourceType, allowAll, resourceIds, actions } of permissions) {
    const type = customResourceTypeNames[resourceType].wire
    const paths = (allowAll ? ['*'] : resourceIds).map((id) => `${type}/${id}`)
    for (const name of asked) {
      if (actions.some((pattern) => actionMatches(pattern, name))) tags[name] = [...(tags[name] ?? []), ...paths]
    }
  }
  return tags
}

function entityOf({ kind, tenantId, id, namespaceId, ownerId, ofAccountOwner }: Thing): EntityJson {
  return {
    uid: { type: 'Thing', id: 'it' },
    attrs: {
      kind,
      tenant: tenantId,
      namespace: namespaceId,
      owner: ownerId,
      ofAccountOwner,
      account: `accounts/${tenantId}`,
      path: `${types[kind] ?? kind}/${id}`,
    },
    parents: [],
  }
}

const types: Readonly<Record<string, string>> = {
  namespace: 'namespaces',
  nexus_endpoint: 'nexus-endpoints',
  connectivity_rule: 'connectivity-rules',
  custom_role: 'custom-roles',
}
