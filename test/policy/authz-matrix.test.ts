import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  type Action,
  authorize,
  type Claims,
  type NamespacePermission,
  type OperatorRole,
  type Permission,
  type PrincipalRole,
  policy,
  type Resource,
  rpcIsInPolicy,
  rpcPermissions,
  type Target,
} from '#libs/authz'
import { AppError } from '#libs/base'
import { rpcs } from '#libs/cloud-api'
import { type CustomResourceType, customResourceTypes } from '#libs/domain/custom-roles'

const golden = new URL('authz-matrix.golden.txt', import.meta.url)

const tenantId = 'a1b2c'
const namespaceId = 'payments.a1b2c'

function principal(
  accountRole: PrincipalRole,
  permission?: NamespacePermission,
  id = 'usr-me',
  tenant = tenantId,
): Claims {
  return {
    kind: 'user',
    principalId: id,
    tenantId: tenant,
    roles: new Set([accountRole]),
    customPermissions: [],
    namespaceGrants: permission === undefined ? new Map() : new Map([[namespaceId, permission]]),
    credential: { kind: 'api_key', id: 'key-1' },
  }
}

/** Holds the role `none`, and every action that there is on every type of resource: all of it, or these by id. */
function holderOfCustomRoles(idOf?: Readonly<Record<CustomResourceType, string>>): Claims {
  const customPermissions = customResourceTypes.map((resourceType) => ({
    resourceType,
    resourceTypeAsSent: resourceType,
    allowAll: idOf === undefined,
    resourceIds: idOf === undefined ? [] : [idOf[resourceType]],
    actions: ['cloud.*'],
  }))
  return { ...principal('none'), customPermissions } as Claims
}

function operator(role: OperatorRole): Claims {
  return { kind: 'operator', name: 'ada', role, credential: { kind: 'certificate', fingerprint: '00' } }
}

/** What a user's own role and those of its groups come to. */
function inGroups(...roles: readonly PrincipalRole[]): Claims {
  return { ...principal('none'), roles: new Set(roles) } as Claims
}

const targetIds = {
  account: tenantId,
  namespace: namespaceId,
  nexus_endpoint: 'nexus-1',
  connectivity_rule: 'rule-1',
  custom_role: 'role-1',
}
const otherIds = {
  account: 'zzzzz',
  namespace: 'other.a1b2c',
  nexus_endpoint: 'nexus-2',
  connectivity_rule: 'rule-2',
  custom_role: 'role-2',
}

/** Columns of the matrix: every role, every permission of the target's namespace, and everybody else. */
const callers: readonly (readonly [string, Claims])[] = [
  ['owner', principal('owner')],
  ['admin', principal('admin')],
  ['develop', principal('developer')],
  ['finance', principal('finance_admin')],
  ['read', principal('read')],
  ['metrics', principal('metrics_read')],
  ['none', principal('none')],
  ['ns:adm', principal('none', 'admin')],
  ['ns:wri', principal('none', 'write')],
  ['ns:rea', principal('none', 'read')],
  ['group', inGroups('read', 'none', 'admin')],
  ['cr:all', holderOfCustomRoles()],
  ['cr:ids', holderOfCustomRoles(targetIds)],
  ['cr:else', holderOfCustomRoles(otherIds)],
  ['itself', principal('none', undefined, 'usr-target')],
  ['other', principal('owner', 'admin', 'usr-target', 'zzzzz')],
  ['op:adm', operator('admin')],
  ['op:sup', operator('support')],
  ['op:vie', operator('viewer')],
  ['system', { kind: 'system', actor: 'provisioner' }],
  ['nobody', { kind: 'anonymous' }],
]

/** Every id at once: each action looks at those of its own target. */
const target = {
  account: { tenantId },
  identity: { tenantId },
  region: { tenantId },
  namespace: { tenantId, namespaceId },
  user: { tenantId, userId: 'usr-target' },
  service_account: { tenantId, serviceAccountId: 'usr-target' },
  api_key: { tenantId, keyId: 'key-2' },
  operation: { tenantId, operationId: 'op-1' },
  waitlist_entry: { entryId: 'wl-1' },
  invitation: { fleet: true },
  tenant: { tenantId },
  certificate: { certificateId: 'cert-1' },
  cell: { cellId: 'cell-1' },
  node: { nodeId: 'node-1' },
  user_group: { tenantId, groupId: 'grp-1' },
  custom_role: { tenantId, roleId: 'role-1' },
  nexus_endpoint: { tenantId, endpointId: 'nexus-1' },
  connectivity_rule: { tenantId, ruleId: 'rule-1' },
  audit_log: { tenantId },
  audit_log_sink: { tenantId, sinkName: 'sink-1' },
  operator: { operatorName: 'grace' },
  fleet_audit_log: { fleet: true },
  rollout: { rolloutId: 'roll-1' },
  move: { moveId: 'move-1' },
  orphan: { fleet: true },
  cost: { cellId: 'cell-1' },
} as const satisfies Record<Resource, object>
const ofTenant: readonly Resource[] = [
  'namespace',
  'user',
  'user_group',
  'service_account',
  'api_key',
  'custom_role',
  'nexus_endpoint',
  'connectivity_rule',
  'audit_log',
  'audit_log_sink',
  'region',
]

function targetOf<R extends Resource, A extends Action<R>>(resource: R, action: A): Target<R, A> {
  const collection = action === 'list' || action === 'create'
  const whole = ofTenant.includes(resource) ? { tenantId } : { fleet: true }
  return (collection ? whole : target[resource]) as Target<R, A>
}

const statuses = { unauthenticated: '401', forbidden: '403', not_found: '404' } as const

function cell(claims: Claims, permission: Permission): string {
  const [resource, action] = permission.split('.') as [Resource, never]
  try {
    const { limit } = authorize(claims, resource, action, targetOf(resource, action))
    return { all: 'yes', not_account_owners: 'below', only: 'some' }[limit.kind]
  } catch (thrown) {
    if (thrown instanceof AppError && thrown.code in statuses) return statuses[thrown.code as keyof typeof statuses]
    throw thrown
  }
}

const permissions = Object.entries(policy).flatMap(([resource, actions]) =>
  Object.keys(actions).map((action) => `${resource}.${action}` as Permission),
)

function matrix(): string {
  const rpcsOf = (permission: Permission) =>
    Object.entries(rpcPermissions).flatMap(([rpc, asked]) => (asked.includes(permission) ? [rpc] : []))
  const line = (first: string, cells: readonly string[]) =>
    [first.padEnd(43), ...cells.map((text) => text.padEnd(8))].join('').trimEnd()
  const lines = permissions.flatMap((permission) => {
    const cells = callers.map(([, claims]) => cell(claims, permission))
    return [line(permission, cells), ...rpcsOf(permission).map((rpc) => line(`  ${rpc}`, cells)), '']
  })
  return [
    legend,
    line(
      '',
      callers.map(([name]) => name),
    ),
    '',
    ...lines,
  ].join('\n')
}

const legend = `# Who may do what. Made from the policy table by authz-matrix.test.ts; rewritten only with UPDATE_GOLDENS=1.
# yes: all of it · below: all but principals that are account owners · some: own rows, and rows of the namespaces where
# the caller has the permission · 401, 403, 404: the refusal, as docs/http-status-codes.md explains.
# Columns: the account roles in the target's tenant; a principal of the role none with a permission on the target's
# namespace; a user with the role read in a group with the role admin; a principal of the role none with a custom role of
# every action on everything, on the target by id, on others by id; the target itself; an owner of another tenant with every grant; operators by role; the system; no credentials.
`

describe('the authorization matrix', () => {
  it('is the one that was agreed to', () => {
    const now = matrix()
    if (process.env.UPDATE_GOLDENS === '1') writeFileSync(golden, now)
    expect(now).toBe(readFileSync(golden, 'utf8'))
  })

  it('shows an owner of another tenant nothing, of whatever is a tenant’s', () => {
    const [, other] = callers.find(([name]) => name === 'other') ?? []
    if (other === undefined) throw new Error('no such column')
    const open = permissions.filter((permission) => cell(other, permission) !== '404')
    expect(open).toEqual(['waitlist_entry.create', 'invitation.accept'])
  })

  it('gives no custom role, whatever it says, more than an admin has, save for the making and giving of custom roles', () => {
    const [admin, all] = ['admin', 'cr:all'].map((name) => callers.find(([each]) => each === name)?.[1])
    if (admin === undefined || all === undefined) throw new Error('no such column')
    const rank = (text: string) => ['404', '403', 'some', 'below', 'yes'].indexOf(text)
    const beyond = permissions.filter((permission) => rank(cell(all, permission)) > rank(cell(admin, permission)))
    expect(beyond).toEqual([
      'account.create_custom_role',
      'account.assign_custom_role',
      'custom_role.update',
      'custom_role.delete',
    ])
  })

  it('lets nobody without credentials do more than join', () => {
    const open = permissions.filter((permission) => cell({ kind: 'anonymous' }, permission) !== '401')
    expect(open).toEqual(['waitlist_entry.create', 'invitation.accept'])
  })

  it('has a row for every method of the contract', () => {
    const names: readonly string[] = rpcs.map((rpc) => rpc.name)
    expect(names.filter((name) => !rpcIsInPolicy(name))).toEqual([])
    expect(Object.keys(rpcPermissions).filter((name) => !names.includes(name))).toEqual([])
  })

  it('lets nobody change what they may not read', () => {
    const blind = permissions.flatMap((permission) => {
      const [resource, action] = permission.split('.')
      const read = permissions.find((other) => other === `${resource}.read`)
      if (read === undefined || (action !== 'update' && action !== 'delete')) return []
      const able = (claims: Claims, asked: Permission) => Number.isNaN(Number(cell(claims, asked)))
      return callers.flatMap(([name, claims]) =>
        able(claims, permission) && !able(claims, read) ? [`${name} ${permission}`] : [],
      )
    })
    expect(blind).toEqual([])
  })

  it('asks for permissions that are in the table', () => {
    const asked = Object.values(rpcPermissions).flat()
    expect(asked.filter((permission) => !permissions.includes(permission))).toEqual([])
  })
})
