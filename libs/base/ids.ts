import { randomBytes, randomInt } from 'node:crypto'

/** The prefix of an id says what it names, so that a key id in the place of a user id is seen at a glance. */
export type IdPrefix =
  | 'usr'
  | 'sa'
  | 'key'
  | 'cell'
  | 'node'
  | 'cert'
  | 'ca'
  | 'inv'
  | 'wl'
  | 'grp'
  | 'role'
  | 'nexus'
  | 'rule'
  | 'log'
  | 'move'
  | 'roll'

/** Lower-case base32 without the look-alikes 0, 1, l and o. */
const alphabet = 'abcdefghijkmnpqrstuvwxyz23456789'
const letters = 'abcdefghijkmnpqrstuvwxyz'

/** A new id, `<prefix>-<20 characters>`: 100 random bits, nothing to guess and nothing to count. */
export function newId(prefix: IdPrefix): string {
  const bytes = randomBytes(20)
  return `${prefix}-${Array.from(bytes, (byte) => alphabet.charAt(byte % alphabet.length)).join('')}`
}

/**
 * A new tenant id: five characters, a letter first, since it is a DNS label and the suffix of every namespace id
 * (`payments.a1b2c`). 24 × 32⁴ ≈ 25 million: the store retries on a collision.
 */
export function newTenantId(): string {
  const tail = Array.from({ length: 4 }, () => alphabet.charAt(randomInt(alphabet.length))).join('')
  return letters.charAt(randomInt(letters.length)) + tail
}
