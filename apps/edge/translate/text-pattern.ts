/** Escapes what has a meaning in RE2's syntax. */
export function escapePattern(text: string): string {
  return text.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&')
}

/**
 * A pattern of the text in letters of either case. RE2's own way would also take `k` for the Kelvin sign and `s` for the
 * long s, which look the same and are not.
 */
export function anyCase(text: string): string {
  return [...text].map(eitherCase).join('')
}

function eitherCase(letter: string): string {
  const forms = new Set([letter, letter.toLowerCase(), letter.toUpperCase()])
  const patterns = [...forms].map(escapePattern)
  return patterns.length === 1 ? (patterns[0] ?? '') : `(?:${patterns.join('|')})`
}

/**
 * RE2 patterns that match each of these texts as a whole, several hundred texts a pattern so that no program gets
 * large. Sorted, so that the same set gives the same patterns.
 */
export function anyOf(texts: readonly string[]): readonly string[] {
  const sorted = [...new Set(texts)].sort()
  const patterns: string[] = []
  for (let start = 0; start < sorted.length; start += 400) {
    patterns.push(
      `(?:${sorted
        .slice(start, start + 400)
        .map(escapePattern)
        .join('|')})`,
    )
  }
  return patterns
}
