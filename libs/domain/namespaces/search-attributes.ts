import type { Problem } from '#libs/base'

export type SearchAttributeType = 'Text' | 'Keyword' | 'Int' | 'Double' | 'Bool' | 'Datetime' | 'KeywordList'

/**
 * One custom search attribute. Its column on the cell is chosen once, when the attribute is added, and stays when it is
 * renamed: what workflows have stored is found under the new name.
 */
export interface SearchAttribute {
  readonly type: SearchAttributeType
  /** The field of the cell's visibility store that holds it, as in `Keyword07`. Empty when no column of the type is left. */
  readonly column: string
}

/** By name. */
export type SearchAttributes = Readonly<Record<string, SearchAttribute>>

/**
 * How many attributes of each type a namespace may have: what Temporal Cloud allows. Every cell has as many columns of
 * each type in its visibility store.
 */
export const searchAttributeLimits: Readonly<Record<SearchAttributeType, number>> = Object.freeze({
  Bool: 20,
  Datetime: 20,
  Double: 20,
  Int: 20,
  Keyword: 40,
  KeywordList: 5,
  Text: 5,
})

const maxNameLength = 64
const namePattern = /^[a-zA-Z0-9.,:\-_/ ]+$/
/** Names that the server has itself (common/searchattribute/sadefs), besides all that begin with `Temporal`. */
const systemNames: ReadonlySet<string> = new Set([
  'BatcherNamespace',
  'BatcherUser',
  'BinaryChecksums',
  'BuildIds',
  'CloseTime',
  'ExecutionDuration',
  'ExecutionStatus',
  'ExecutionTime',
  'HistoryLength',
  'HistorySizeBytes',
  'Memo',
  'MemoEncoding',
  'NamespaceId',
  'ParentRunId',
  'ParentWorkflowId',
  'RootRunId',
  'RootWorkflowId',
  'RunId',
  'StartTime',
  'StateTransitionCount',
  'TaskQueue',
  'VisibilityTaskKey',
  'WorkflowId',
  'WorkflowType',
])
const columnPattern = /^(Bool|Datetime|Double|Int|Keyword|KeywordList|Text)(0[1-9]|[1-9][0-9])$/

/** What is wrong with a name, or undefined. */
function searchAttributeNameMistake(name: string): string | undefined {
  if (name.length > maxNameLength || !namePattern.test(name) || name.trim() !== name) {
    return `must have 1 to ${maxNameLength} characters of a-z, A-Z, 0-9 and . , : - _ / and spaces inside`
  }
  if (systemNames.has(name) || name.startsWith('Temporal') || columnPattern.test(name)) {
    return 'is a name of the server itself: choose another'
  }
  return undefined
}

/** The name of the n-th column of a type, n from 1. */
export function searchAttributeColumn(type: SearchAttributeType, n: number): string {
  return `${type}${String(n).padStart(2, '0')}`
}

/**
 * The attributes that a request asks for, each with its column: those that are there keep theirs, new ones get the
 * lowest that is free. A changed type gets a new column; to refuse that, and what is left without a column, is for the
 * validation.
 */
export function withColumns(
  present: SearchAttributes,
  wanted: Readonly<Record<string, SearchAttributeType>>,
): SearchAttributes {
  const taken = new Set(Object.values(present).map(({ column }) => column))
  const choose = (name: string, type: SearchAttributeType): string => {
    const there = present[name]
    if (there?.type === type) return there.column
    for (let n = 1; n <= searchAttributeLimits[type]; n += 1) {
      const column = searchAttributeColumn(type, n)
      if (taken.has(column)) continue
      taken.add(column)
      return column
    }
    return ''
  }
  return Object.fromEntries(
    Object.entries(wanted)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, type]) => [name, { type, column: choose(name, type) }]),
  )
}

/** Column → name: what the cell's namespace has to hold as aliases. */
export function aliasesOf(attributes: SearchAttributes): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(attributes).map(([name, { column }]) => [column, name]))
}

export function searchAttributeProblems(attributes: SearchAttributes): Problem[] {
  const field = 'spec.search_attributes'
  const names = Object.keys(attributes).flatMap((name): Problem[] => {
    const mistake = searchAttributeNameMistake(name)
    return mistake === undefined ? [] : [{ field, message: `the name ${JSON.stringify(name)} ${mistake}` }]
  })
  const types = Object.keys(searchAttributeLimits) as SearchAttributeType[]
  const counts = types.flatMap((type): Problem[] => {
    const count = Object.values(attributes).filter((attribute) => attribute.type === type).length
    if (count <= searchAttributeLimits[type]) return []
    return [{ field, message: `at most ${searchAttributeLimits[type]} attributes of type ${type}, not ${count}` }]
  })
  return [...names, ...counts]
}

/** Attributes neither go nor change their type: their values are in the workflows that have them. */
export function searchAttributeChangeProblems(present: SearchAttributes, next: SearchAttributes): Problem[] {
  const field = 'spec.search_attributes'
  return Object.entries(present).flatMap(([name, { type }]): Problem[] => {
    const there = next[name]
    if (there === undefined) {
      const message = `${JSON.stringify(name)} is missing: search attributes cannot be removed, only renamed`
      return [{ field, message }]
    }
    if (there.type === type) return []
    return [{ field, message: `the type of ${JSON.stringify(name)} is ${type} and cannot be changed` }]
  })
}

/** The same attributes, one of them by another name; its column stays. */
export function renamed(attributes: SearchAttributes, from: string, to: string): SearchAttributes {
  return Object.fromEntries(Object.entries(attributes).map(([name, one]) => [name === from ? to : name, one]))
}

/** What is wrong with a wish to rename, with the fields of RenameCustomSearchAttribute. */
export function renameProblems(attributes: SearchAttributes, from: string, to: string): Problem[] {
  if (!Object.hasOwn(attributes, from)) {
    const message = `there is no search attribute ${JSON.stringify(from)}`
    return [{ field: 'existing_custom_search_attribute_name', message }]
  }
  const field = 'new_custom_search_attribute_name'
  if (from === to) return [{ field, message: 'nothing to change' }]
  const mistake = searchAttributeNameMistake(to)
  if (mistake !== undefined) return [{ field, message: mistake }]
  if (Object.hasOwn(attributes, to)) return [{ field, message: `${JSON.stringify(to)} exists already` }]
  return []
}
