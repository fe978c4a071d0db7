/** Anything that could break a line, a log or a terminal. */
const control = /\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp}/u
const controlButNewline = /(?![\n\t])\p{Cc}|\p{Zl}|\p{Zp}/u

/** What is wrong with a one-line text that a person wrote, or undefined. Lengths in characters. */
export function lineMistake(text: string, min: number, max: number): string | undefined {
  if (text.length < min) return min === 1 ? 'must be given' : `must have at least ${min} characters`
  if (text.length > max) return `must have at most ${max} characters, not ${text.length}`
  if (control.test(text)) return 'must not contain control characters'
  if (min > 0 && text.trim() !== text) return 'must not begin or end with a space'
  return undefined
}

/** The same for a text of several lines. */
export function paragraphMistake(text: string, min: number, max: number): string | undefined {
  if (text.trim().length < min) return min === 1 ? 'must be given' : `must have at least ${min} characters`
  if (text.length > max) return `must have at most ${max} characters, not ${text.length}`
  if (controlButNewline.test(text)) return 'must not contain control characters'
  return undefined
}
