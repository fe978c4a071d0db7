import { createHash } from 'node:crypto'

/** The fields of an entry as texts, in the order in which they are hashed. */
export type HashedFields = readonly (string | null)[]

/** What the first entry of a chain builds on. */
export function genesisHash(chain: string): Buffer {
  return createHash('sha256').update(`aqueduct audit chain ${chain}`).digest()
}

/**
 * The hash of an entry: SHA-256 of the hash before and of its fields, each with its length before it. The append
 * function of the migration does the same; this is worked out apart from it, so that whoever changes the database
 * cannot change the proof with it.
 */
export function entryHash(previous: Uint8Array, fields: HashedFields): Buffer {
  const hash = createHash('sha256').update(previous)
  for (const field of fields) hash.update(field === null ? '-' : `${Buffer.byteLength(field)}:${field}`)
  return hash.digest()
}
