import { escapePattern } from './text-pattern.ts'

/**
 * One character of a value as BoringSSL writes it in the form of RFC 2253: itself, a backslash and a special
 * character, or a backslash and two hex digits. An unescaped comma or plus sign ends the value.
 */
const character = String.raw`(?:[^\\,+]|\\[0-9A-F]{2}|\\[^0-9A-F])`
/** The same at the beginning, where an unescaped `#` says that hex digits of something that is no text follow. */
const firstCharacter = String.raw`(?:[^\\,+#]|\\[0-9A-F]{2}|\\[^0-9A-F])`
/** Anything, in whole characters: what follows a backslash is never taken for a separator. */
const anything = String.raw`(?:[^\\]|\\[0-9A-F]{2}|\\[^0-9A-F])*`

/**
 * An RE2 pattern that matches a whole subject when one of its attributes of this type has this value. Case does not
 * matter, and a `*` at one end stands for anything. A value that looks like an attribute (`x,O=evil`) arrives with its
 * comma escaped, and is not taken for one.
 */
export function subjectPattern(attribute: 'CN' | 'O' | 'OU', value: string): string {
  return `(?:${anything}[,+])?${attribute}=${valuePattern(value)}(?:[,+]${anything})?`
}

function valuePattern(value: string): string {
  // What stands at the very end of a value is written otherwise than in its midst: hence with something beyond, or not.
  if (value.startsWith('*')) {
    const end = value.slice(1)
    return `(?:${firstCharacter}${character}*${literal(end, false, true)}|${literal(end, true, true)})`
  }
  if (value.endsWith('*')) {
    const begin = value.slice(0, -1)
    return `(?:${literal(begin, true, false)}${character}+|${literal(begin, true, true)})`
  }
  return literal(value, true, true)
}

/** @param first whether the text begins the value, where a space or a hash is escaped; `last` likewise for a space. */
function literal(text: string, first: boolean, last: boolean): string {
  const characters = [...text]
  return characters
    .map((one, index) =>
      spellings(
        one,
        (first && index === 0 && one === '#') || (one === ' ' && isEdge(index, characters.length, first, last)),
      ),
    )
    .join('')
}

function isEdge(index: number, length: number, first: boolean, last: boolean): boolean {
  return (first && index === 0) || (last && index === length - 1)
}

function spellings(one: string, escaped: boolean): string {
  const cases = [...new Set([one, one.toLowerCase(), one.toUpperCase()])].map((form) =>
    [...form].map((part) => spelling(part, escaped)).join(''),
  )
  return cases.length === 1 ? (cases[0] ?? '') : `(?:${cases.join('|')})`
}

function spelling(one: string, escaped: boolean): string {
  if (escaped || /[,+"\\<>;]/.test(one)) return String.raw`\\${escapePattern(one)}`
  if (/[\x20-\x7e]/.test(one)) return escapePattern(one)
  return [...new TextEncoder().encode(one)]
    .map((byte) => String.raw`\\${byte.toString(16).toUpperCase().padStart(2, '0')}`)
    .join('')
}
