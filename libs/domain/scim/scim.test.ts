import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { groupFromScim, parseFilter, patchGroup, patchUser, readPatch, ScimError, userFromScim } from './index.ts'

function typeOf(act: () => unknown): string {
  try {
    act()
  } catch (thrown) {
    if (thrown instanceof ScimError) return thrown.scimType
    throw thrown
  }
  return 'taken'
}

describe('parseFilter', () => {
  const attributes = ['userName', 'externalId']

  it.each([
    ['userName eq "ada@example.com"', { username: 'ada@example.com' }],
    ['USERNAME EQ "ada"', { username: 'ada' }],
    ['externalId eq "a\\"b" and userName eq "c and d"', { externalid: 'a"b', username: 'c and d' }],
  ])('reads %s', (text, expected) => {
    expect(Object.fromEntries(parseFilter(text, attributes))).toEqual(expected)
  })

  it.each([
    '',
    'userName',
    'userName eq ada',
    'userName co "ada"',
    'userName eq "ada" or externalId eq "b"',
    'userName eq "a" and userName eq "b"',
    'password eq "x"',
    'userName eq "a" and',
    'userName eq "\\x41"',
    'userName eq "a\\u0000"',
    '(userName eq "a")',
    'not userName eq "a"',
    `userName eq "${'a'.repeat(2000)}"`,
  ])('refuses %j', (text) => {
    expect(typeOf(() => parseFilter(text, attributes))).toBe('invalidFilter')
  })
})

describe('a user', () => {
  const ada = { userName: 'ada@example.com', externalId: '7', active: true }

  it('is read whatever the case of its attributes, and with much that is not kept', () => {
    const body = { UserName: 'ada@example.com', externalID: '7', name: { givenName: 'Ada' }, emails: [{ value: 'x' }] }
    expect(userFromScim(body)).toEqual(ada)
    expect(userFromScim({ userName: 'ada@example.com', active: 'False' }).active).toBe(false)
  })

  it.each([[], 'x', null])('is an object, not %j', (body) => {
    expect(typeOf(() => userFromScim(body))).toBe('invalidSyntax')
  })

  it.each([{}, { userName: 'ada' }, { userName: 7 }, { userName: 'ada@example.com', active: 'maybe' }])(
    'is refused as %j',
    (body) => {
      expect(typeOf(() => userFromScim(body))).toBe('invalidValue')
    },
  )

  it('is patched with a path, without one, and in capitals', () => {
    const patch = (...operations: object[]) => patchUser(ada, readPatch({ Operations: operations }))
    expect(patch({ op: 'Replace', path: 'active', value: 'False' }).active).toBe(false)
    expect(patch({ op: 'replace', value: { active: false, externalId: '8' } })).toEqual({
      ...ada,
      active: false,
      externalId: '8',
    })
    expect(patch({ op: 'remove', path: 'externalId' }).externalId).toBeUndefined()
    expect(patch({ op: 'add', path: 'name.givenName', value: 'Ada' })).toEqual(ada)
    expect(patch({ op: 'add', path: 'emails[type eq "work"].value', value: 'x' })).toEqual(ada)
    const urn = 'urn:ietf:params:scim:schemas:core:2.0:User:active'
    expect(patch({ op: 'replace', path: urn, value: false }).active).toBe(false)
  })

  it.each([
    [{ op: 'move', path: 'active' }, 'invalidSyntax'],
    [{ op: 'remove' }, 'noTarget'],
    [{ op: 'replace', path: 'shoeSize', value: 44 }, 'invalidPath'],
    [{ op: 'remove', path: 'userName' }, 'mutability'],
    [{ op: 'replace', value: 'x' }, 'invalidSyntax'],
  ])('refuses the operation %j', (operation, type) => {
    expect(typeOf(() => patchUser(ada, readPatch({ Operations: [operation] })))).toBe(type)
  })
})

describe('a group', () => {
  const change = (...operations: object[]) => patchGroup(readPatch({ Operations: operations }))

  it('is read with its members, each once', () => {
    const members = [{ value: 'usr-1' }, { value: 'usr-2', display: 'Ada' }, { value: 'usr-1' }]
    expect(groupFromScim({ displayName: 'eng', externalId: 'g', members })).toEqual({
      displayName: 'eng',
      externalId: 'g',
      members: ['usr-1', 'usr-2'],
    })
    expect(typeOf(() => groupFromScim({ members }))).toBe('invalidValue')
  })

  it('is changed by what came last', () => {
    const add = { op: 'add', path: 'members', value: [{ value: 'usr-1' }] }
    const remove = { op: 'remove', path: 'members[value eq "usr-1"]' }
    expect(change(add, remove)).toEqual({ add: new Set(), remove: new Set(['usr-1']) })
    expect(change(remove, add)).toEqual({ add: new Set(['usr-1']), remove: new Set() })
    expect(change({ op: 'replace', path: 'members', value: [{ value: 'usr-9' }] }, add)).toEqual({
      members: ['usr-9'],
      add: new Set(['usr-1']),
      remove: new Set(),
    })
    expect(change({ op: 'remove', path: 'members' }).members).toEqual([])
    expect(change({ op: 'replace', value: { displayName: 'x', id: 'y' } }).displayName).toBe('x')
  })

  it('takes any JSON, or says what is wrong with it', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (body) => {
        typeOf(() => patchGroup(readPatch(body)))
        typeOf(() => patchGroup(readPatch({ Operations: [body] })))
        typeOf(() => groupFromScim(body))
        typeOf(() => userFromScim(body))
      }),
    )
  })
})
