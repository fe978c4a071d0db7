import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Access,
  type Authorized,
  authorize,
  type Claims,
  dataPlanePermission,
  type NamespacePermission,
  namespacePermissionOf,
  namespacePermissions,
  type OperatorRole,
  operatorRoles,
  type PrincipalRole,
  principalRoles,
  systemActor,
  type UserClaims,
} from '#libs/authz'
import { AppError } from '#libs/base'
import { customResourceTypes } from '#libs/domain/custom-roles'
import { decide } from './decide.ts'
import { policy, whoMay } from './policy.ts'

const tenantId = 'a1b2c'
const namespaceId = 'payments.a1b2c'

function user(accountRole: PrincipalRole, grants: Record<string, NamespacePermission> = {}): UserClaims {
  return {
    kind: 'user',
    principalId: 'usr-1',
    tenantId,
    roles: new Set([accountRole]),
    customPermissions: [],
    namespaceGrants: new Map(Object.entries(grants)),
    credential: { kind: 'api_key', id: 'key-1' },
  }
}

function codeOf(act: () => unknown): string {
  try {
    act()
  } catch (thrown) {
    if (thrown instanceof AppError) return thrown.code
    throw thrown
  }
  return 'allowed'
}

describe('authorize', () => {
  it('gives a proof that carries the target, the limit and who asked', () => {
    const proof = authorize(user('owner'), 'namespace', 'update', { tenantId, namespaceId })
    expect(proof.target).toEqual({ tenantId, namespaceId })
    expect(proof.limit).toEqual({ kind: 'all' })
    expect(proof.actor).toEqual({ kind: 'user', id: 'usr-1' })
    expect(Object.isFrozen(proof)).toBe(true)
    expect(Object.isFrozen(proof.target)).toBe(true)
  })

  it('lets every operator renew its own certificates, and admins issue everybody’s', () => {
    const issue = (role: OperatorRole, operatorName: string) => {
      const claims = {
        kind: 'operator',
        name: 'ada',
        role,
        credential: { kind: 'certificate', fingerprint: '' },
      } as const
      return codeOf(() => authorize(claims, 'operator', 'create_certificate', { operatorName }))
    }
    expect(operatorRoles.map((role) => issue(role, 'ada'))).toEqual(['allowed', 'allowed', 'allowed'])
    expect(operatorRoles.map((role) => issue(role, 'grace'))).toEqual(['allowed', 'forbidden', 'forbidden'])
    // A principal of a tenant is no operator, whatever it is called.
    const principal = () =>
      authorize({ ...user('owner'), principalId: 'ada' }, 'operator', 'create_certificate', { operatorName: 'ada' })
    expect(codeOf(principal)).toBe('not_found')
  })

  it('tells missing credentials, hidden things and forbidden acts apart', () => {
    const update = (claims: Claims) => () => authorize(claims, 'namespace', 'update', { tenantId, namespaceId })
    expect(codeOf(update({ kind: 'anonymous' }))).toBe('unauthenticated')
    expect(codeOf(update(user('developer')))).toBe('not_found')
    expect(codeOf(update(user('developer', { [namespaceId]: 'read' })))).toBe('forbidden')
    expect(codeOf(update(user('developer', { [namespaceId]: 'admin' })))).toBe('allowed')
  })

  it.each(['payments.zzzzz', 'payments', '.a1b2c', 'payments.a1b2c.zzzzz', 'payments.xa1b2c', ''])(
    'does not find the namespace %j even for an owner, and even with a grant on it',
    (id) => {
      const claims: Claims = { ...user('owner'), namespaceGrants: new Map([[id, 'admin']]) }
      expect(codeOf(() => authorize(claims, 'namespace', 'read', { tenantId, namespaceId: id }))).toBe('not_found')
    },
  )

  it('says the same about a namespace of another tenant as about none at all', () => {
    const message = (id: string) => {
      try {
        authorize(user('owner'), 'namespace', 'read', { tenantId, namespaceId: id })
      } catch (thrown) {
        return thrown instanceof AppError ? thrown.message.replace(id, '<id>') : ''
      }
      return ''
    }
    expect(message('payments.zzzzz')).toBe('namespace "<id>" not found')
    expect(message('payments.zzzzz')).toBe(message('nothing'))
  })

  it('limits a list to what the caller may read', () => {
    const grants = { [namespaceId]: 'read', 'x.zzzzz': 'admin' } as const
    expect(authorize(user('developer', grants), 'namespace', 'list', { tenantId }).limit).toEqual({
      kind: 'only',
      namespaceIds: new Set([namespaceId]),
    })
    expect(authorize(user('read'), 'namespace', 'list', { tenantId }).limit).toEqual({
      kind: 'only',
      namespaceIds: new Set(),
    })
    expect(authorize(user('admin'), 'namespace', 'list', { tenantId }).limit).toEqual({ kind: 'all' })
  })

  it('lets anybody keep their own keys, and admins see every key', () => {
    expect(authorize(user('read'), 'api_key', 'delete', { tenantId, keyId: 'key-9' }).limit).toEqual({
      kind: 'only',
      ownerId: 'usr-1',
      namespaceIds: new Set(),
    })
    expect(authorize(user('admin'), 'api_key', 'read', { tenantId, keyId: 'key-9' }).limit).toEqual({ kind: 'all' })
    expect(authorize(user('admin'), 'api_key', 'delete', { tenantId, keyId: 'key-9' }).limit).toEqual({
      kind: 'not_account_owners',
    })
  })

  it('lets nobody make a key for another person', () => {
    const create = (claims: Claims, userId: string) => () =>
      authorize(claims, 'user', 'create_api_key', { tenantId, userId })
    expect(codeOf(create(user('read'), 'usr-1'))).toBe('allowed')
    expect(codeOf(create(user('owner'), 'usr-2'))).toBe('forbidden')
  })

  it('keeps an admin from a key, and so from the powers, of an owner', () => {
    const proof = authorize(user('admin'), 'service_account', 'create_api_key', { tenantId, serviceAccountId: 'sa-1' })
    expect(proof.limit).toEqual({ kind: 'not_account_owners' })
    expect(codeOf(() => authorize(user('admin'), 'account', 'grant_owner', { tenantId }))).toBe('forbidden')
  })

  it('lets a namespace admin manage the service accounts of that namespace, and no others', () => {
    const claims = user('read', { [namespaceId]: 'admin', 'other.a1b2c': 'write' })
    const target = { tenantId, serviceAccountId: 'sa-1' }
    expect(authorize(claims, 'service_account', 'update', target).limit).toEqual({
      kind: 'only',
      namespaceIds: new Set([namespaceId]),
    })
    expect(codeOf(() => authorize(user('read'), 'service_account', 'update', target))).toBe('forbidden')
    expect(codeOf(() => authorize(claims, 'account', 'create_service_account', { tenantId }))).toBe('forbidden')
  })

  it('lets an operator into nothing that a tenant owns, and a tenant into nothing of an operator', () => {
    const operator: Claims = {
      kind: 'operator',
      name: 'ada',
      role: 'admin',
      credential: { kind: 'certificate', fingerprint: '00' },
    }
    expect(codeOf(() => authorize(operator, 'namespace', 'read', { tenantId, namespaceId }))).toBe('not_found')
    expect(codeOf(() => authorize(operator, 'waitlist_entry', 'list', { fleet: true }))).toBe('allowed')
    expect(codeOf(() => authorize(user('owner'), 'waitlist_entry', 'list', { fleet: true }))).toBe('not_found')
    expect(codeOf(() => authorize(user('owner'), 'tenant', 'read', { tenantId }))).toBe('not_found')
  })

  it('lets anybody join the waitlist and accept an invitation', () => {
    expect(codeOf(() => authorize({ kind: 'anonymous' }, 'waitlist_entry', 'create', { fleet: true }))).toBe('allowed')
    expect(codeOf(() => authorize({ kind: 'anonymous' }, 'invitation', 'accept', { fleet: true }))).toBe('allowed')
  })

  it('gives the system what the table gives it, and no more', () => {
    const system = systemActor('provisioner')
    expect(system.authorize('node', 'create', { fleet: true }).actor).toEqual({ kind: 'system', id: 'provisioner' })
    expect(codeOf(() => system.authorize('account', 'update', { tenantId }))).toBe('not_found')
  })

  it('has proofs that nothing else can pass for', () => {
    const take = (proof: Authorized<'namespace', 'update'>) => proof
    const proof = authorize(user('owner'), 'namespace', 'update', { tenantId, namespaceId })
    take(proof)
    // @ts-expect-error a look-alike lacks the private field
    take({ resource: 'namespace', action: 'update', target: proof.target, limit: proof.limit, actor: proof.actor })
    // @ts-expect-error so does a copy
    take({ ...proof })
    // @ts-expect-error and a proof of another action proves that action
    take(authorize(user('owner'), 'namespace', 'delete', { tenantId, namespaceId }))
  })
})

const roles = fc.constantFrom(...principalRoles)
const permissions = fc.constantFrom(...namespacePermissions)
const tenants = fc.constantFrom(tenantId, 'zzzzz')
const namespaceIds = fc.constantFrom(namespaceId, 'other.a1b2c', 'payments.zzzzz', 'other.zzzzz')
const claimsOf: fc.Arbitrary<UserClaims> = fc.record({
  kind: fc.constant('user' as const),
  principalId: fc.constantFrom('usr-1', 'usr-2'),
  tenantId: fc.constant(tenantId),
  roles: fc.uniqueArray(roles, { minLength: 1, maxLength: 2 }).map((held): ReadonlySet<PrincipalRole> => new Set(held)),
  customPermissions: fc.constant([]),
  namespaceGrants: fc
    .array(fc.tuple(namespaceIds, permissions), { maxLength: 3 })
    .map((grants): ReadonlyMap<string, NamespacePermission> => new Map(grants)),
  credential: fc.constant({ kind: 'api_key' as const, id: 'key-1' }),
})
const customPermission = fc.record({
  resourceType: fc.constantFrom(...customResourceTypes),
  resourceTypeAsSent: fc.constant(''),
  allowAll: fc.boolean(),
  resourceIds: fc.array(fc.oneof(namespaceIds, tenants), { maxLength: 3 }),
  actions: fc.array(fc.constantFrom('cloud.*', 'cloud.namespace.*', 'cloud.user.*', 'cloud.namespace.list'), {
    minLength: 1,
    maxLength: 2,
  }),
})
const everyAction = Object.entries(policy).flatMap(([resource, actions]) =>
  Object.keys(actions).map((action) => ({ resource, action })),
)
const actions = fc.constantFrom(...everyAction)
const targets = fc.record(
  { tenantId: tenants, namespaceId: namespaceIds, userId: fc.constantFrom('usr-1', 'usr-2') },
  { requiredKeys: ['tenantId'] },
)

describe('the policy', () => {
  it('denies whatever is not in the table', () => {
    fc.assert(
      fc.property(claimsOf, fc.string(), fc.string(), targets, (claims, resource, action, target) => {
        fc.pre(!everyAction.some((known) => known.resource === resource && known.action === action))
        expect(decide(claims, resource, action, target)).toBeUndefined()
      }),
    )
    for (const name of ['__proto__', 'constructor', 'toString']) {
      expect(decide(user('owner'), name, name, { tenantId })).toBeUndefined()
      expect(decide(user('owner'), 'namespace', name, { tenantId, namespaceId })).toBeUndefined()
    }
  })

  it('never crosses tenants', () => {
    fc.assert(
      fc.property(claimsOf, actions, targets, (claims, { resource, action }, target) => {
        fc.pre(!(whoMay(resource, action) as readonly string[]).includes('anonymous'))
        const limit = decide(claims, resource, action, target)
        if (target.tenantId !== tenantId || target.namespaceId?.endsWith('.zzzzz')) expect(limit).toBeUndefined()
        if (limit?.kind === 'only') {
          for (const id of limit.namespaceIds) expect(id.endsWith(`.${tenantId}`)).toBe(true)
          expect(limit.ownerId ?? claims.principalId).toBe(claims.principalId)
        }
      }),
    )
  })

  it('never takes away by a custom role what somebody has without it, nor crosses tenants for one', () => {
    fc.assert(
      fc.property(claimsOf, customPermission, actions, targets, (claims, permission, { resource, action }, target) => {
        const before = decide(claims, resource, action, target)
        const after = decide({ ...claims, customPermissions: [permission] }, resource, action, target)
        expect(widthOf(after)).toBeGreaterThanOrEqual(widthOf(before))
        if (target.tenantId !== tenantId || target.namespaceId?.endsWith('.zzzzz')) expect(after).toEqual(before)
        if (after?.kind === 'only') for (const id of after.namespaceIds) expect(id.endsWith(`.${tenantId}`)).toBe(true)
      }),
    )
    const everything = customResourceTypes.map((resourceType) => ({
      resourceType,
      resourceTypeAsSent: resourceType,
      allowAll: true,
      resourceIds: [],
      actions: ['cloud.*'],
    }))
    const delegate = { ...user('read'), customPermissions: everything }
    expect(decide(delegate, 'account', 'grant_owner', { tenantId })).toBeUndefined()
    expect(decide(delegate, 'user', 'update', { tenantId, userId: 'usr-2' })).toEqual({ kind: 'not_account_owners' })
    expect(dataPlanePermission(delegate, namespaceId)).toBeUndefined()
  })

  it('lets the most permissive of role and grant win', () => {
    fc.assert(
      fc.property(claimsOf, namespaceIds, (claims, id) => {
        const byRole = namespacePermissionOf({ ...claims, namespaceGrants: new Map() }, id)
        const byGrant = namespacePermissionOf({ ...claims, roles: new Set(['none'] as const) }, id)
        const strongest = namespacePermissions.find((one) => one === byRole || one === byGrant)
        expect(namespacePermissionOf(claims, id)).toBe(strongest)
      }),
    )
  })

  const orders: readonly (readonly PrincipalRole[])[] = [
    ['none', 'metrics_read', 'read', 'developer', 'admin', 'owner'],
    ['none', 'metrics_read', 'read', 'finance_admin', 'admin', 'owner'],
  ]
  it('never takes away what a weaker role has, nor what a weaker grant gives', () => {
    fc.assert(
      fc.property(
        claimsOf,
        actions,
        targets,
        fc.constantFrom(...orders),
        (claims, { resource, action }, target, order) => {
          const width = (one: Claims) => widthOf(decide(one, resource, action, target))
          const byRole = order.map((role) => width({ ...claims, roles: new Set([role]) }))
          expect(byRole).toEqual(byRole.toSorted((a, b) => a - b))
          const byGrant = [...namespacePermissions]
            .reverse()
            .map((permission) => width({ ...claims, namespaceGrants: new Map([[namespaceId, permission]]) }))
          expect(byGrant).toEqual(byGrant.toSorted((a, b) => a - b))
        },
      ),
    )
  })
})

function widthOf(limit: ReturnType<typeof decide>): number {
  if (limit === undefined) return 0
  return { only: 1, not_account_owners: 2, all: 3 }[limit.kind]
}

describe('dataPlanePermission', () => {
  const access = (accountRole: PrincipalRole, grant?: NamespacePermission): Access => ({
    tenantId,
    roles: new Set([accountRole]),
    customPermissions: [],
    namespaceGrants: grant === undefined ? new Map() : new Map([[namespaceId, grant]]),
  })

  it.each([
    ['owner', undefined, 'write'],
    ['admin', undefined, 'write'],
    ['developer', undefined, undefined],
    ['read', undefined, undefined],
    ['finance_admin', undefined, undefined],
    ['metrics_read', undefined, undefined],
    ['none', undefined, undefined],
    ['developer', 'admin', 'write'],
    ['read', 'write', 'write'],
    ['none', 'read', 'read'],
    ['admin', 'read', 'write'],
  ] as const)('%s with the grant %s: %s', (role, grant, expected) => {
    expect(dataPlanePermission(access(role, grant), namespaceId)).toBe(expected)
  })

  it('is nothing on a namespace of another tenant', () => {
    const foreign = { ...access('owner'), namespaceGrants: new Map([['payments.zzzzz', 'admin' as const]]) }
    expect(dataPlanePermission(foreign, 'payments.zzzzz')).toBeUndefined()
  })
})
