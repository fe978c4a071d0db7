/** One address as people have them: no quoted local parts, no comments, no literals of IP addresses. */
const address =
  /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*@([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])$/

/** What is wrong with an e-mail address, or undefined. Lengths after RFC 5321, 4.5.3.1. */
export function emailMistake(email: string): string | undefined {
  if (email === '') return 'must be given'
  const at = email.lastIndexOf('@')
  if (email.length > 254 || at > 64) return 'is longer than an e-mail address can be'
  if (!address.test(email.toLowerCase())) return 'is not an e-mail address, as in ada@example.com'
  return undefined
}

/** The form that is compared: two spellings of one address are one person. Only case differs here; dots and tags count. */
export function normalizeEmail(email: string): string {
  return email.trim().toLowerCase()
}
