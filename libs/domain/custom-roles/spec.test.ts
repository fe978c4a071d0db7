import { describe, expect, it } from 'vitest'
import {
  actionMatches,
  type CustomPermission,
  customResourceTypeNamed,
  validateCustomRole,
  validateCustomRoleUpdate,
} from '#libs/domain/custom-roles'

const actionsOn = () => ['cloud.namespace.get', 'cloud.namespace.update']

function permission(change: Partial<CustomPermission> = {}): CustomPermission {
  return {
    resourceType: 'namespace',
    resourceTypeAsSent: 'namespaces',
    allowAll: true,
    resourceIds: [],
    actions: ['cloud.namespace.get'],
    ...change,
  }
}

const spec = (...permissions: CustomPermission[]) => ({ name: 'reader', description: '', permissions })
const mistakes = (change: Partial<CustomPermission>) =>
  validateCustomRole(spec(permission(change)), 'a1b2c', actionsOn).map(({ message }) => message)

describe('a custom role', () => {
  it.each<[string, Partial<CustomPermission>, RegExp]>([
    ['ids and all', { resourceIds: ['x.a1b2c'] }, /resource_ids must be empty when allow_all is true/],
    ['neither', { allowAll: false }, /allow_all must be true when resource_ids is empty/],
    ['a foreign namespace', { allowAll: false, resourceIds: ['x.zzzzz'] }, /namespace "x.zzzzz" not found/],
    ['a foreign account', { resourceType: 'account', allowAll: false, resourceIds: ['zzzzz'] }, /account "zzzzz"/],
    ['an id of another kind', { resourceType: 'custom_role', allowAll: false, resourceIds: ['usr-1'] }, /custom role/],
    ['no action', { actions: [] }, /at least one action/],
    ['an unknown action', { actions: ['cloud.namespace.read'] }, /invalid action.*known are cloud\.namespace\.get/],
    ['a wildcard of nothing', { actions: ['cloud.user.*'] }, /invalid action: cloud\.user\.\* for resource type/],
    ['a wildcard in the middle', { actions: ['cloud.*.get'] }, /invalid action/],
    ['a bare wildcard', { actions: ['*'] }, /invalid action/],
    ['too many ids', { allowAll: false, resourceIds: Array.from({ length: 101 }, () => 'x.a1b2c') }, /at most 100/],
    [
      'an id without end',
      { resourceType: 'nexus_endpoint', allowAll: false, resourceIds: [`nexus-${'x'.repeat(123)}`] },
      /at most 128 characters/,
    ],
  ])('is refused with %s', (_, change, message) => {
    expect(mistakes(change).join()).toMatch(message)
  })

  it('is taken with an action, a wildcard, ids of its own tenant', () => {
    expect(mistakes({})).toEqual([])
    expect(mistakes({ actions: ['cloud.namespace.*', 'cloud.*'] })).toEqual([])
    expect(mistakes({ allowAll: false, resourceIds: ['x.a1b2c'] })).toEqual([])
    expect(mistakes({ resourceType: 'account', allowAll: false, resourceIds: ['a1b2c'] })).toEqual([])
  })

  it('reports every problem at once, each with its path', () => {
    const problems = validateCustomRole(
      { name: '', description: 'x'.repeat(257), permissions: [permission(), permission({ actions: [] })] },
      'a1b2c',
      actionsOn,
    )
    expect(problems.map(({ field }) => field)).toEqual(['spec.name', 'spec.description', 'spec.permissions[1].actions'])
    expect(validateCustomRole(spec(), 'a1b2c', actionsOn)).toHaveLength(1)
    const many = spec(...Array.from({ length: 21 }, () => permission()))
    expect(validateCustomRole(many, 'a1b2c', actionsOn).map(({ message }) => message)).toEqual([
      'at most 20 permissions',
    ])
  })

  it('has no more actions and ids in all than can be looked at in no time', () => {
    const half = permission({ actions: Array.from({ length: 60 }, () => 'cloud.namespace.get') })
    const ids = permission({ allowAll: false, resourceIds: Array.from({ length: 60 }, (_, n) => `x${n}.a1b2c`) })
    const messages = (...permissions: CustomPermission[]) =>
      validateCustomRole(spec(...permissions), 'a1b2c', actionsOn).map(({ message }) => message)
    expect([messages(half), messages(ids)]).toEqual([[], []])
    expect(messages(half, half)).toEqual(['at most 100 actions in all'])
    expect(messages(ids, ids)).toEqual(['at most 100 resource_ids in all'])
  })

  it('has nothing to change when only the order of its sets differs', () => {
    const update = (a: CustomPermission, b: CustomPermission) =>
      validateCustomRoleUpdate(spec(a), spec(b), 'a1b2c', actionsOn).map(({ message }) => message)
    const both = ['cloud.namespace.get', 'cloud.namespace.update']
    expect(update(permission({ actions: both }), permission({ actions: both.toReversed() }))).toEqual([
      'nothing to change',
    ])
    expect(update(permission(), permission({ actions: both }))).toEqual([])
    expect(update(permission(), permission({ resourceTypeAsSent: 'namespace' }))).toEqual([])
  })
})

it.each([
  ['accounts', 'account'],
  ['account', 'account'],
  ['Namespace', 'namespace'],
  ['nexus-endpoints', 'nexus_endpoint'],
  ['nexus_endpoint', 'nexus_endpoint'],
  ['connectivityRules', 'connectivity_rule'],
  ['custom-roles', 'custom_role'],
  ['projects', undefined],
  ['', undefined],
  ['constructor', undefined],
  [`namespace${'-'.repeat(56)}`, undefined],
])('%j is the type %s', (text, type) => expect(customResourceTypeNamed(text)).toBe(type))

it.each([
  ['cloud.namespace.get', 'cloud.namespace.get', true],
  ['cloud.namespace.*', 'cloud.namespace.get', true],
  ['cloud.namespace.exportsink.*', 'cloud.namespace.get', false],
  ['cloud.namespace*', 'cloud.namespace.get', false],
  ['cloud.name.*', 'cloud.namespace.get', false],
  ['*', 'cloud.namespace.get', false],
])('%s matches %s: %s', (pattern, action, matches) => expect(actionMatches(pattern, action)).toBe(matches))
