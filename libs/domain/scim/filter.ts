import { ScimError } from './scim-error.ts'

/** Which attributes have to equal what, all of them. Keys are lower case. */
export type ScimFilter = ReadonlyMap<string, string>

const maxLength = 1024
const comparison = /^\s*([A-Za-z][\w.:-]*)\s+eq\s+("(?:[^"\\]|\\.)*")\s*/i

/**
 * Reads what identity providers send: `userName eq "ada@example.com"`, and such comparisons joined by `and`. The rest of
 * the language (RFC 7644, 3.4.2.2) is refused, never guessed.
 * @param attributes that may be compared, as they are written in the schema.
 * @throws ScimError `invalidFilter`
 */
export function parseFilter(text: string, attributes: readonly string[]): ScimFilter {
  const found = new Map<string, string>()
  if (text.length > maxLength) throw new ScimError('invalidFilter', `a filter has at most ${maxLength} characters`)
  let rest = text
  for (;;) {
    const match = comparison.exec(rest)
    const [whole = '', name = '', quoted = ''] = match ?? []
    const known = attributes.find((each) => each.toLowerCase() === name.toLowerCase())
    if (known === undefined || found.has(known.toLowerCase())) throw refused(attributes)
    found.set(known.toLowerCase(), unquote(quoted, attributes))
    rest = rest.slice(whole.length)
    if (rest === '') return found
    const and = /^and\s+/i.exec(rest)
    if (and === null) throw refused(attributes)
    rest = rest.slice(and[0].length)
  }
}

function unquote(quoted: string, attributes: readonly string[]): string {
  try {
    const value: unknown = JSON.parse(quoted)
    if (typeof value === 'string' && !value.includes('\0')) return value
  } catch {
    // An escape that JSON does not have.
  }
  throw refused(attributes)
}

function refused(attributes: readonly string[]): ScimError {
  return new ScimError('invalidFilter', `give <attribute> eq "<value>", joined by and, of ${attributes.join(', ')}`)
}
