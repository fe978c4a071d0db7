import fc from 'fast-check'
import {
  type Claims,
  decide,
  type Limit,
  type NamespacePermission,
  namespacePermissions,
  operatorRoles,
  type PrincipalRole,
  policy,
  principalRoles,
  rpcPermissions,
} from '#libs/authz'
import { type CustomPermission, customResourceTypes } from '#libs/domain/custom-roles'
import type { Case, Question, Thing } from './case.ts'
import { cloudActions } from './cedar.ts'

const asked = Object.entries(rpcPermissions).flatMap(([action, permissions]) =>
  permissions.map((permission) => ({ action, permission })),
)
const rows = Object.entries(policy).flatMap(([resource, actions]) =>
  Object.keys(actions).map((action) => `${resource}.${action}`),
)

/** Every method with each row that it may ask for, and every row that no method asks for. */
export const questions: readonly Question[] = [
  ...asked,
  ...rows
    .filter((row) => !asked.some(({ permission }) => permission === row))
    .map((permission) => ({ action: permission, permission })),
].map(({ action, permission }) => {
  const [resource = '', rowAction = ''] = permission.split('.')
  return { action, resource, rowAction }
})

/** Whether our authorizer lets the thing be reached: its limit, applied to the row as the store does. */
export function weAllow({ claims, question, thing, askedTenantId }: Case): boolean {
  const { resource, rowAction } = question
  const limit = decide(claims, resource, rowAction, targetOf(question, thing, askedTenantId))
  if (limit === undefined) return false
  const member = claims.kind === 'user' || claims.kind === 'service_account'
  const everybodys = resource === 'waitlist_entry' || resource === 'invitation'
  return (!member || everybodys || thing.tenantId === askedTenantId) && reaches(limit, thing)
}

function reaches(limit: Limit, { namespaceId, ownerId, ofAccountOwner }: Thing): boolean {
  switch (limit.kind) {
    case 'all':
      return true
    case 'not_account_owners':
      return !ofAccountOwner
    case 'only':
      return ownerId === limit.ownerId || limit.namespaceIds.has(namespaceId)
  }
}

export function targetOf({ resource, rowAction }: Question, { id }: Thing, tenantId: string) {
  if (rowAction === 'list' || rowAction === 'create') return { tenantId }
  switch (resource) {
    case 'namespace':
      return { tenantId, namespaceId: id }
    case 'user':
      return { tenantId, userId: id }
    case 'service_account':
      return { tenantId, serviceAccountId: id }
    case 'api_key':
      return { tenantId, keyId: id }
    case 'operation':
      return { tenantId, operationId: id }
    case 'user_group':
      return { tenantId, groupId: id }
    case 'custom_role':
      return { tenantId, roleId: id }
    case 'nexus_endpoint':
      return { tenantId, endpointId: id }
    case 'connectivity_rule':
      return { tenantId, ruleId: id }
    case 'operator':
      return { operatorName: id }
    default:
      return { tenantId }
  }
}

const tenantIds = fc.constantFrom('a1b2c', 'a1b2c', 'a1b2c', 'zzzzz')
const names = fc.constantFrom('payments', 'orders')
const namespaceIds = fc.tuple(names, tenantIds).map(([name, tenantId]) => `${name}.${tenantId}`)
const principalIds = fc.constantFrom('usr-1', 'usr-2', 'sa-1', 'sa-2')
const operatorNames = fc.constantFrom('ada', 'grace')

const grants: fc.Arbitrary<ReadonlyMap<string, NamespacePermission>> = fc
  .array(fc.tuple(namespaceIds, fc.constantFrom(...namespacePermissions)), { maxLength: 3 })
  .map((entries) => new Map(entries))

const patterns = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...cloudActions) },
  {
    weight: 4,
    arbitrary: fc.constantFrom(...cloudActions).map((name) => `${name.slice(0, name.lastIndexOf('.'))}.*`),
  },
  { weight: 1, arbitrary: fc.constantFrom('cloud.*', '*', 'cloud.*.get', 'cloud', '', 'cloud.apikey.create') },
)

const customPermissions: fc.Arbitrary<CustomPermission> = fc
  .record({
    resourceType: fc.constantFrom(...customResourceTypes),
    allowAll: fc.boolean(),
    resourceIds: fc.uniqueArray(fc.oneof(namespaceIds, tenantIds, fc.constantFrom('id-1', 'id-2')), { maxLength: 3 }),
    actions: fc.array(patterns, { minLength: 1, maxLength: 3 }),
  })
  .map((made) => ({
    ...made,
    resourceTypeAsSent: made.resourceType,
    resourceIds: made.allowAll ? [] : made.resourceIds,
  }))

/** A user or a service account: the role none is frequent, so that what else it holds decides. */
const members: fc.Arbitrary<Claims> = fc.record({
  kind: fc.constantFrom('user' as const, 'service_account' as const),
  principalId: principalIds,
  tenantId: tenantIds,
  roles: fc
    .uniqueArray(fc.oneof(fc.constant<PrincipalRole>('none'), fc.constantFrom(...principalRoles)), {
      minLength: 1,
      maxLength: 2,
    })
    .map((held): ReadonlySet<PrincipalRole> => new Set(held)),
  namespaceGrants: grants,
  customPermissions: fc.oneof(fc.constant([]), fc.array(customPermissions, { minLength: 1, maxLength: 3 })),
  credential: fc.constant({ kind: 'api_key' as const, id: 'key-1' }),
})
const operators: fc.Arbitrary<Claims> = fc.record({
  kind: fc.constant('operator' as const),
  name: operatorNames,
  role: fc.constantFrom(...operatorRoles),
  credential: fc.constant({ kind: 'certificate' as const, fingerprint: '00' }),
})
const callers: fc.Arbitrary<Claims> = fc.oneof(
  { weight: 16, arbitrary: members },
  { weight: 3, arbitrary: operators },
  { weight: 1, arbitrary: fc.constant<Claims>({ kind: 'system', actor: 'provisioner' }) },
  { weight: 1, arbitrary: fc.constant<Claims>({ kind: 'anonymous' }) },
)

function thingOf(resource: string): fc.Arbitrary<Thing> {
  return fc
    .record({
      tenantId: tenantIds,
      name: names,
      scoped: fc.boolean(),
      principalId: principalIds,
      operatorName: operatorNames,
      id: fc.constantFrom('id-1', 'id-2'),
      ofAccountOwner: fc.boolean(),
    })
    .map(({ tenantId, name, scoped, principalId, operatorName, id, ofAccountOwner }) => {
      const namespaceId = `${name}.${tenantId}`
      const plain = { kind: resource, tenantId, namespaceId: '', ownerId: '', ofAccountOwner }
      switch (resource) {
        case 'namespace':
          return { ...plain, id: namespaceId, namespaceId }
        case 'user':
          return { ...plain, id: principalId, ownerId: principalId }
        case 'service_account':
          // One that belongs to a namespace has no account role: `not_account_owners` reaches all of those.
          return {
            ...plain,
            id: principalId,
            ownerId: principalId,
            namespaceId: scoped ? namespaceId : '',
            ofAccountOwner: ofAccountOwner && !scoped,
          }
        case 'api_key':
          return {
            ...plain,
            id,
            ownerId: principalId,
            namespaceId: scoped ? namespaceId : '',
            ofAccountOwner: ofAccountOwner && !scoped,
          }
        case 'operation':
          return { ...plain, id, ownerId: principalId, namespaceId: scoped ? namespaceId : '' }
        case 'operator':
          return { ...plain, id: operatorName, ownerId: operatorName }
        default:
          return { ...plain, id }
      }
    })
}

/** Whether its owner is an account owner, the caller's own roles say. */
function isOwnKey(
  claims: Claims,
  { kind, ownerId }: Thing,
): claims is Claims & { readonly roles: ReadonlySet<PrincipalRole> } {
  return kind === 'api_key' && 'principalId' in claims && claims.principalId === ownerId
}

const caseOf = (question: Question): fc.Arbitrary<Case> =>
  fc
    .record({ claims: callers, thing: thingOf(question.resource), asksOwn: fc.boolean() })
    .map(({ claims, thing, asksOwn }) => ({
      claims,
      question,
      thing: isOwnKey(claims, thing) ? { ...thing, ofAccountOwner: claims.roles.has('owner') } : thing,
      askedTenantId: asksOwn && 'tenantId' in claims ? claims.tenantId : thing.tenantId,
    }))

/** Each question is as likely as any other. */
export const cases: fc.Arbitrary<Case> = fc.constantFrom(...questions.map(caseOf)).chain((each) => each)
