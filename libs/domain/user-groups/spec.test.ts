import { describe, expect, it } from 'vitest'
import { type UserGroupSpec, validateUserGroupSpec, validateUserGroupUpdate } from '#libs/domain/user-groups'

const access = { accountRole: 'none', namespaceAccesses: {}, customRoleIds: [] } as const
const cloud: UserGroupSpec = { displayName: 'build-ers_1', source: { kind: 'cloud' }, access }
const google: UserGroupSpec = {
  displayName: 'Our People',
  source: { kind: 'google', emailAddress: 'people@example.com' },
  access,
}
const scim: UserGroupSpec = { displayName: 'Everybody (EU)', source: { kind: 'scim', idpId: '42' }, access }
const fields = (problems: readonly { readonly field: string }[]) => problems.map(({ field }) => field)

describe('validateUserGroupSpec', () => {
  it.each([cloud, google, scim])('accepts $displayName', (spec) => {
    expect(validateUserGroupSpec(spec, 'a1b2c')).toEqual([])
  })

  it.each([
    ['a short name', { ...cloud, displayName: 'ab' }, 'spec.display_name'],
    ['a long name', { ...cloud, displayName: 'a'.repeat(65) }, 'spec.display_name'],
    ['a name as Google has them', { ...cloud, displayName: 'Our People' }, 'spec.display_name'],
    ['a name of two lines', { ...google, displayName: 'Our\nPeople' }, 'spec.display_name'],
    ['no address', { ...google, source: { kind: 'google', emailAddress: '' } }, 'spec.google_group.email_address'],
    ['no id', { ...scim, source: { kind: 'scim', idpId: '' } }, 'spec.scim_group.idp_id'],
    [
      'a namespace of another tenant',
      { ...cloud, access: { ...access, namespaceAccesses: { 'n.other': 'read' } } },
      'spec.access.namespace_accesses',
    ],
  ] as const)('refuses %s', (_what, spec, field) => {
    expect(fields(validateUserGroupSpec(spec, 'a1b2c'))).toEqual([field])
  })
})

describe('validateUserGroupUpdate', () => {
  const raised = { ...access, accountRole: 'read' } as const

  it.each([cloud, google, scim])('lets the access of $displayName change, and wants something to', (spec) => {
    expect(validateUserGroupUpdate(spec, { ...spec, access: raised }, 'a1b2c')).toEqual([])
    expect(validateUserGroupUpdate(spec, spec, 'a1b2c')).toEqual([{ field: 'spec', message: 'nothing to change' }])
  })

  it('keeps the kind, and what the identity provider says', () => {
    expect(fields(validateUserGroupUpdate(google, { ...cloud, access: raised }, 'a1b2c'))).toEqual(['spec'])
    expect(fields(validateUserGroupUpdate(scim, { ...scim, displayName: 'x' }, 'a1b2c'))).toEqual(['spec.display_name'])
    const moved: UserGroupSpec = { ...scim, source: { kind: 'scim', idpId: '43' } }
    expect(fields(validateUserGroupUpdate(scim, moved, 'a1b2c'))).toEqual(['spec.scim_group.idp_id'])
    const renamed: UserGroupSpec = { ...google, source: { kind: 'google', emailAddress: 'other@example.com' } }
    expect(validateUserGroupUpdate(google, renamed, 'a1b2c')).toEqual([])
  })
})
