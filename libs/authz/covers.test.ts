import { describe, expect, it } from 'vitest'
import type { NamespacePermission, PrincipalRole, UserClaims } from '#libs/authz'
import type { CustomPermission, CustomResourceType } from '#libs/domain/custom-roles'
import { covers, type Given } from './covers.ts'

const nothing: Given = { roles: ['none'], namespaceGrants: new Map(), customPermissions: [] }

function giver(given: Partial<Given>): UserClaims {
  const { roles, namespaceGrants, customPermissions } = { ...nothing, ...given }
  return {
    kind: 'user',
    principalId: 'usr-1',
    tenantId: 'a1b2c',
    roles: new Set(roles),
    namespaceGrants,
    customPermissions,
    credential: { kind: 'api_key', id: 'key-1' },
  }
}

function custom(resourceType: CustomResourceType, action: string, ...resourceIds: string[]): CustomPermission {
  return {
    resourceType,
    resourceTypeAsSent: resourceType,
    allowAll: resourceIds.length === 0,
    resourceIds,
    actions: [action],
  }
}

const grant = (permission: NamespacePermission, id = 'payments.a1b2c') => new Map([[id, permission]])

describe('what one may give', () => {
  it.each<[PrincipalRole, readonly PrincipalRole[]]>([
    ['owner', ['owner', 'admin', 'developer', 'finance_admin', 'read', 'metrics_read', 'none']],
    ['admin', ['admin', 'developer', 'finance_admin', 'read', 'metrics_read', 'none']],
    ['developer', ['developer', 'read', 'metrics_read', 'none']],
    ['finance_admin', ['finance_admin', 'read', 'metrics_read', 'none']],
    ['read', ['read', 'metrics_read', 'none']],
    ['none', ['metrics_read', 'none']],
  ])('the role %s: %j', (role, expected) => {
    const all: readonly PrincipalRole[] = [
      'owner',
      'admin',
      'developer',
      'finance_admin',
      'read',
      'metrics_read',
      'none',
    ]
    expect(all.filter((each) => covers(giver({ roles: [role] }), { ...nothing, roles: [each] }))).toEqual(expected)
  })

  it('on namespaces: no stronger permission than the own one, and on no other', () => {
    const mine = giver({ roles: ['read'], namespaceGrants: grant('write') })
    expect(covers(mine, { ...nothing, namespaceGrants: grant('write') })).toBe(true)
    expect(covers(mine, { ...nothing, namespaceGrants: grant('admin') })).toBe(false)
    expect(covers(mine, { ...nothing, namespaceGrants: grant('read', 'other.a1b2c') })).toBe(false)
    expect(covers(giver({ roles: ['admin'] }), { ...nothing, namespaceGrants: grant('admin') })).toBe(true)
  })

  it('is not widened to the data plane by custom roles, whatever they say', () => {
    const delegate = giver({ roles: ['read'], customPermissions: [custom('namespace', 'cloud.*')] })
    expect(covers(delegate, { ...nothing, namespaceGrants: grant('read') })).toBe(false)
  })

  it('by custom roles: what one has by custom roles, by ids or altogether, and not what an account role is', () => {
    const delegate = giver({
      roles: ['read'],
      customPermissions: [custom('account', 'cloud.user.*'), custom('namespace', 'cloud.namespace.update', 'x.a1b2c')],
    })
    const gives = (...customPermissions: CustomPermission[]) => covers(delegate, { ...nothing, customPermissions })
    expect(gives(custom('account', 'cloud.user.update'))).toBe(true)
    expect(gives(custom('namespace', 'cloud.namespace.update', 'x.a1b2c'))).toBe(true)
    expect(gives(custom('namespace', 'cloud.namespace.update', 'x.a1b2c', 'y.a1b2c'))).toBe(false)
    expect(gives(custom('namespace', 'cloud.namespace.update'))).toBe(false)
    expect(gives(custom('namespace', 'cloud.namespace.delete', 'x.a1b2c'))).toBe(false)
    expect(gives(custom('account', 'cloud.*'))).toBe(false)
    expect(covers(delegate, { ...nothing, roles: ['developer'] })).toBe(false)
    expect(covers(giver({ customPermissions: [custom('account', 'cloud.*')] }), { ...nothing, roles: ['admin'] })).toBe(
      false,
    )
  })

  it('of endpoints, rules and roles by id', () => {
    for (const [type, action] of [
      ['nexus_endpoint', 'cloud.nexusendpoint.update'],
      ['connectivity_rule', 'cloud.connectivityrule.delete'],
      ['custom_role', 'cloud.customrole.update'],
    ] as const) {
      const mine = giver({ customPermissions: [custom(type, action, 'a')] })
      expect(covers(mine, { ...nothing, customPermissions: [custom(type, action, 'a')] })).toBe(true)
      expect(covers(mine, { ...nothing, customPermissions: [custom(type, action, 'b')] })).toBe(false)
    }
  })
})
