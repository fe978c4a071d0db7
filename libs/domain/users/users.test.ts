import { describe, expect, it } from 'vitest'
import {
  emailMistake,
  lineMistake,
  normalizeEmail,
  paragraphMistake,
  validateGrant,
  validateUserSpec,
  validateUserUpdate,
} from '#libs/domain/users'

describe('emailMistake', () => {
  it.each(['ada@example.com', 'Ada.Lovelace+wait@sub.example.co.uk', "o'neil@example.org", 'a@xn--bcher-kva.example'])(
    'accepts %s',
    (email) => {
      expect(emailMistake(email)).toBeUndefined()
    },
  )

  it.each([
    '',
    'ada',
    'ada@',
    '@example.com',
    'ada@example',
    'ada@@example.com',
    'a b@example.com',
    'ada@example.com\n',
    'ada@example.com, bob@example.com',
    '.ada@example.com',
    'ada.@example.com',
    'ada@-example.com',
    'ada@127.0.0.1',
    '<ada@example.com>',
    `${'a'.repeat(65)}@example.com`,
    `a@${'a.'.repeat(130)}com`,
  ])('refuses %j', (email) => {
    expect(emailMistake(email)).toBeDefined()
  })

  it('takes two spellings for one person', () => {
    expect(normalizeEmail(' Ada@Example.COM ')).toBe('ada@example.com')
  })

  it('answers fast on an address made to be slow', () => {
    const started = performance.now()
    emailMistake(`${'a.'.repeat(30)}@${'a-'.repeat(90)}`)
    expect(performance.now() - started).toBeLessThan(100)
  })
})

describe('texts', () => {
  it.each(['a\nb', 'a\u0000', 'a\u202eb', ' a', 'a ', '', 'aaaaaa'])('refuses the line %j', (text) => {
    expect(lineMistake(text, 1, 5)).toBeDefined()
  })

  it('lets paragraphs have lines, and no other control characters', () => {
    expect(paragraphMistake('a\nb', 1, 5)).toBeUndefined()
    expect(paragraphMistake('a\u001b', 1, 5)).toBeDefined()
    expect(paragraphMistake(' \n', 1, 5)).toBe('must be given')
  })
})

describe('validateUserSpec', () => {
  const email = 'ada@example.com'
  it('accepts a developer with grants on the own tenant’s namespaces', () => {
    const access = {
      accountRole: 'developer',
      namespaceAccesses: { 'payments.a1b2c': 'write' },
      customRoleIds: [],
    } as const
    expect(validateUserSpec({ email, access }, 'a1b2c')).toEqual([])
  })

  it('refuses grants on another tenant’s namespaces, and any for an admin', () => {
    const access = {
      accountRole: 'admin',
      namespaceAccesses: { 'payments.zzzzz': 'write' },
      customRoleIds: [],
    } as const
    const problems = validateUserSpec({ email, access }, 'a1b2c')
    expect(problems.map((problem) => problem.field)).toEqual([
      'spec.access.namespace_accesses',
      'spec.access.namespace_accesses',
    ])
    expect(problems[0]?.message).toBe('namespace "payments.zzzzz" not found')
  })
})

describe('validateUserUpdate', () => {
  const access = { accountRole: 'read', namespaceAccesses: {}, customRoleIds: [] } as const
  const current = { email: 'ada@example.com', access }
  it('wants something to change, and never the address', () => {
    const raised = { ...access, accountRole: 'admin' } as const
    expect(validateUserUpdate(current, { ...current, access: raised }, 'a1b2c')).toEqual([])
    const nothing = [{ field: 'spec', message: 'nothing to change' }]
    expect(validateUserUpdate(current, current, 'a1b2c')).toEqual(nothing)
    expect(validateUserUpdate(current, { ...current, email: 'Ada@example.com' }, 'a1b2c')).toEqual(nothing)
    const other = { email: 'eve@example.com', access: raised }
    expect(validateUserUpdate(current, other, 'a1b2c')).toMatchObject([{ field: 'spec.email' }])
  })
})

describe('validateGrant', () => {
  const many = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`n${n}.a1b2c`, 'read' as const]))
  const access = (accountRole: 'read' | 'owner' | 'none', namespaceAccesses = {}) => ({
    accountRole,
    namespaceAccesses,
    customRoleIds: [],
  })
  it.each([
    ['a new one', access('none'), 'n.a1b2c', 'read', undefined],
    ['another one', access('read', { 'n.a1b2c': 'read' }), 'n.a1b2c', 'write', undefined],
    ['none any more', access('read', { 'n.a1b2c': 'read' }), 'n.a1b2c', undefined, undefined],
    ['the same', access('read', { 'n.a1b2c': 'read' }), 'n.a1b2c', 'read', 'nothing to change'],
    ['none as before', access('owner'), 'n.a1b2c', undefined, 'nothing to change'],
    ['one of an owner', access('owner'), 'n.a1b2c', 'read', 'must be empty'],
    ['one too many', access('read', many), 'n.a1b2c', 'read', 'at most 1000'],
    ['another one of many', access('read', many), 'n7.a1b2c', 'write', undefined],
  ] as const)('%s', (_what, current, namespaceId, permission, message) => {
    const problems = validateGrant(current, namespaceId, permission, 'access')
    expect(problems).toEqual(
      message === undefined ? [] : [{ field: 'access', message: expect.stringContaining(message) }],
    )
  })
})
