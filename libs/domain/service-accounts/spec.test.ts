import { describe, expect, it } from 'vitest'
import {
  type ServiceAccountSpec,
  validateServiceAccountSpec,
  validateServiceAccountUpdate,
} from '#libs/domain/service-accounts'

const whole: ServiceAccountSpec = {
  name: 'deployer',
  description: '',
  access: { accountRole: 'developer', namespaceAccesses: { 'a.a1b2c': 'write', 'b.a1b2c': 'read' }, customRoleIds: [] },
}
const scoped: ServiceAccountSpec = {
  name: 'worker',
  description: 'runs workers',
  namespaceScopedAccess: { namespaceId: 'payments.a1b2c', permission: 'write' },
}
const check = (spec: ServiceAccountSpec) => validateServiceAccountSpec(spec, 'a1b2c').map(({ field }) => field)
const update = (current: ServiceAccountSpec, next: ServiceAccountSpec) =>
  validateServiceAccountUpdate(current, next, 'a1b2c').map(({ field, message }) => `${field}: ${message}`)

describe('service accounts', () => {
  it('are of the account or of one namespace', () => {
    expect(check(whole)).toEqual([])
    expect(check(scoped)).toEqual([])
    expect(check({ name: 'none', description: '' })).toEqual(['spec.access'])
    expect(check({ ...whole, ...scoped })).toEqual(['spec.access'])
  })

  it('have a name, and belong to a namespace of their tenant', () => {
    expect(check({ ...scoped, name: '' })).toEqual(['spec.name'])
    expect(check({ ...scoped, namespaceScopedAccess: { namespaceId: 'payments.zzzzz', permission: 'read' } })).toEqual([
      'spec.namespace_scoped_access.namespace',
    ])
  })

  it('keep their kind and their namespace', () => {
    expect(update(whole, { ...scoped })).toHaveLength(1)
    const elsewhere = { namespaceId: 'other.a1b2c', permission: 'write' } as const
    expect(update(scoped, { ...scoped, namespaceScopedAccess: elsewhere })).toEqual([
      'spec.namespace_scoped_access.namespace: cannot be changed',
    ])
    const reader = { namespaceId: 'payments.a1b2c', permission: 'read' } as const
    expect(update(scoped, { ...scoped, namespaceScopedAccess: reader })).toEqual([])
  })

  it('say so when nothing changes, in whatever order the grants stand', () => {
    const access = {
      accountRole: 'developer',
      namespaceAccesses: { 'b.a1b2c': 'read', 'a.a1b2c': 'write' },
      customRoleIds: [],
    } as const
    expect(update(whole, { ...whole, access })).toEqual(['spec: nothing to change'])
  })
})
