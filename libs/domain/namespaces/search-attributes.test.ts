import { describe, expect, it } from 'vitest'
import {
  aliasesOf,
  type NamespaceSpec,
  renamed,
  renameProblems,
  type SearchAttributeType,
  searchAttributeLimits,
  validateSpec,
  validateUpdate,
  withColumns,
} from '#libs/domain/namespaces'

const limits = { regions: ['aws-us-east-1'] }
const base: NamespaceSpec = {
  name: 'payments',
  regions: ['aws-us-east-1'],
  retentionDays: 30,
  mtlsAuth: { enabled: false, acceptedClientCa: '', certificateFilters: [] },
  apiKeyAuth: { enabled: true },
  deletionProtected: false,
}
const withAttributes = (wanted: Record<string, SearchAttributeType>, before = base): NamespaceSpec => ({
  ...base,
  searchAttributes: withColumns(before.searchAttributes ?? {}, wanted),
})
const messages = (spec: NamespaceSpec) => validateSpec(spec, limits).map((problem) => problem.message)

describe('names of search attributes', () => {
  it.each([
    'Customer',
    'a',
    'a'.repeat(64),
    'order/id',
    'a.b,c:d-e_f g',
    'ScheduleId',
    'Keyword',
    'CustomKeywordField',
  ])('accepts %j', (name) => {
    expect(messages(withAttributes({ [name]: 'Keyword' }))).toEqual([])
  })
  it.each(['', ' ', 'a'.repeat(65), 'ä', 'a\n', 'a`b', "a'b", ' a', 'a ', 'a|b'])('refuses %j', (name) => {
    expect(messages(withAttributes({ [name]: 'Keyword' }))).toEqual([expect.stringContaining('must have 1 to 64')])
  })
  it.each([
    'WorkflowId',
    'ExecutionStatus',
    'TemporalAnything',
    'BuildIds',
    'NamespaceId',
    'Memo',
    'Keyword07',
    'Int99',
  ])('refuses %j, which the server has itself', (name) => {
    expect(messages(withAttributes({ [name]: 'Keyword' }))).toEqual([expect.stringContaining('of the server itself')])
  })
})

describe('columns of search attributes', () => {
  it('are the lowest that are free, and stay with their attribute', () => {
    const first = withColumns({}, { B: 'Keyword', A: 'Keyword', N: 'Int' })
    expect(first).toEqual({
      A: { type: 'Keyword', column: 'Keyword01' },
      B: { type: 'Keyword', column: 'Keyword02' },
      N: { type: 'Int', column: 'Int01' },
    })
    const more = withColumns(first, { AA: 'Keyword', A: 'Keyword', B: 'Keyword', N: 'Int' })
    expect(more).toMatchObject({ ...first, AA: { type: 'Keyword', column: 'Keyword03' } })
    expect(aliasesOf(more)).toEqual({ Keyword01: 'A', Keyword02: 'B', Keyword03: 'AA', Int01: 'N' })
  })

  it('are as many as Temporal Cloud allows, of each type', () => {
    expect(searchAttributeLimits).toEqual({
      Bool: 20,
      Datetime: 20,
      Double: 20,
      Int: 20,
      Keyword: 40,
      KeywordList: 5,
      Text: 5,
    })
    for (const type of Object.keys(searchAttributeLimits) as SearchAttributeType[]) {
      const count = searchAttributeLimits[type]
      const many = (n: number) => Object.fromEntries(Array.from({ length: n }, (_, index) => [`N${index}`, type]))
      const full = withAttributes(many(count))
      expect(messages(full)).toEqual([])
      expect(new Set(Object.keys(aliasesOf(full.searchAttributes ?? {}))).size).toBe(count)
      expect(messages(withAttributes(many(count + 1)))).toEqual([
        `at most ${count} attributes of type ${type}, not ${count + 1}`,
      ])
    }
  })
})

describe('an update of search attributes', () => {
  const current = { spec: withAttributes({ A: 'Keyword', B: 'Int' }), state: 'active' as const }
  const problems = (wanted: Record<string, SearchAttributeType>) =>
    validateUpdate(current, withAttributes(wanted, current.spec), limits).map((problem) => problem.message)

  it('adds', () => expect(problems({ A: 'Keyword', B: 'Int', C: 'Text' })).toEqual([]))
  it('has nothing to change', () => expect(problems({ A: 'Keyword', B: 'Int' })).toEqual(['nothing to change']))
  it('removes none', () => expect(problems({ A: 'Keyword' })).toEqual([expect.stringContaining('"B" is missing')]))
  it('changes no type', () => {
    expect(problems({ A: 'Text', B: 'Int' })).toEqual(['the type of "A" is Keyword and cannot be changed'])
  })
})

describe('a rename', () => {
  const present = withColumns({}, { A: 'Keyword', B: 'Int' })

  it('keeps the column, and the old name gets one of its own when it is added again', () => {
    const after = renamed(present, 'A', 'C')
    expect(after).toEqual({ C: { type: 'Keyword', column: 'Keyword01' }, B: { type: 'Int', column: 'Int01' } })
    expect(withColumns(after, { A: 'Keyword', B: 'Int', C: 'Keyword' })).toMatchObject({
      A: { type: 'Keyword', column: 'Keyword02' },
      C: { type: 'Keyword', column: 'Keyword01' },
    })
  })

  it.each([
    ['Z', 'C', 'existing_custom_search_attribute_name', 'there is no search attribute "Z"'],
    ['toString', 'C', 'existing_custom_search_attribute_name', 'there is no search attribute "toString"'],
    ['A', 'A', 'new_custom_search_attribute_name', 'nothing to change'],
    ['A', 'B', 'new_custom_search_attribute_name', '"B" exists already'],
    ['A', 'WorkflowId', 'new_custom_search_attribute_name', 'is a name of the server itself: choose another'],
  ])('of %s to %s is refused', (from, to, field, message) => {
    expect(renameProblems(present, from, to)).toEqual([{ field, message }])
  })
})
