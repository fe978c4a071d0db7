import type { Problem } from '#libs/base'
import { cloud, type temporal } from '#libs/cloud-api'
import { type SearchAttributes, type SearchAttributeType, withColumns } from '#libs/domain/namespaces'
import type { HandlersOf } from '../operations/wire.ts'

export type SearchAttributeHandlers = HandlersOf<'RenameCustomSearchAttribute'>

type WireSpec = Pick<temporal.api.cloud.namespace.v1.INamespaceSpec, 'searchAttributes' | 'customSearchAttributes'>

const { SearchAttributeType: Wire } = cloud.namespace.v1.NamespaceSpec

/** The enum and the text of the deprecated field. */
const types: Readonly<Record<SearchAttributeType, { readonly type: number; readonly text: string }>> = {
  Text: { type: Wire.SEARCH_ATTRIBUTE_TYPE_TEXT, text: 'text' },
  Keyword: { type: Wire.SEARCH_ATTRIBUTE_TYPE_KEYWORD, text: 'keyword' },
  Int: { type: Wire.SEARCH_ATTRIBUTE_TYPE_INT, text: 'int' },
  Double: { type: Wire.SEARCH_ATTRIBUTE_TYPE_DOUBLE, text: 'double' },
  Bool: { type: Wire.SEARCH_ATTRIBUTE_TYPE_BOOL, text: 'bool' },
  Datetime: { type: Wire.SEARCH_ATTRIBUTE_TYPE_DATETIME, text: 'datetime' },
  KeywordList: { type: Wire.SEARCH_ATTRIBUTE_TYPE_KEYWORD_LIST, text: 'keyword_list' },
}
const names = Object.keys(types) as SearchAttributeType[]

/**
 * The attributes of `search_attributes` and of the deprecated `custom_search_attributes` together: clients send one of
 * them, or both as they got them.
 * @param present those that are there keep their columns.
 */
export function searchAttributesFromWire(
  wire: WireSpec,
  present: SearchAttributes,
  problems: Problem[],
): SearchAttributes {
  const wanted = new Map<string, SearchAttributeType>()
  const add = (field: string, name: string, type: SearchAttributeType | undefined, said: string) => {
    const before = wanted.get(name)
    const about = `${JSON.stringify(name)}`
    if (type === undefined) problems.push({ field, message: `${about}: there is no type ${said}` })
    else if (before !== undefined && before !== type) {
      problems.push({ field, message: `${about} is ${type} here and ${before} in search_attributes` })
    } else wanted.set(name, type)
  }
  for (const [name, value] of Object.entries(wire.searchAttributes ?? {})) {
    const type = names.find((candidate) => types[candidate].type === value)
    add('spec.search_attributes', name, type, String(value))
  }
  for (const [name, text] of Object.entries(wire.customSearchAttributes ?? {})) {
    const said = text.toLowerCase().replaceAll('_', '')
    const type = names.find((candidate) => candidate.toLowerCase() === said)
    add('spec.custom_search_attributes', name, type, JSON.stringify(text))
  }
  return withColumns(present, Object.fromEntries(wanted))
}

/** Both fields, for new clients and old. */
export function searchAttributesToWire(attributes: SearchAttributes): WireSpec {
  const entries = Object.entries(attributes)
  return {
    searchAttributes: Object.fromEntries(entries.map(([name, { type }]) => [name, types[type].type])),
    customSearchAttributes: Object.fromEntries(entries.map(([name, { type }]) => [name, types[type].text])),
  }
}
