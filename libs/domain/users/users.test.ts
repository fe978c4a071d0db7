import { describe, expect, it } from 'vitest'
import { emailMistake, lineMistake, normalizeEmail, paragraphMistake, validateUserSpec } from '#libs/domain/users'

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
