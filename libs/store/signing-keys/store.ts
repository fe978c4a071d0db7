import type { Selectable } from 'kysely'
import type { Executor } from '../database.ts'
import type { SigningKeysTable } from './table.ts'

export type SigningKeyRow = Selectable<SigningKeysTable>

export type SigningPurpose =
  | { readonly purpose: 'api_key' | 'probe' }
  | { readonly purpose: 'cell'; readonly cellId: string }

export interface NewSigningKey {
  readonly kid: string
  readonly publicJwk: object
  /** Sealed for the place `signing_keys/<kid>`. */
  readonly privateJwkSealed: string
}

/** Finds the live key, or makes it: of two that make it at once, both get the first. */
export async function ensureSigningKey(
  executor: Executor,
  purpose: SigningPurpose,
  make: () => Promise<NewSigningKey>,
): Promise<SigningKeyRow> {
  const found = await liveKey(executor, purpose)
  if (found !== undefined) return found
  const made = await make()
  await executor
    .insertInto('signing_keys')
    .values({
      kid: made.kid,
      purpose: purpose.purpose,
      cell_id: cellOf(purpose),
      public_jwk: JSON.stringify(made.publicJwk),
      private_jwk_sealed: made.privateJwkSealed,
      retired_at: null,
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  const row = await liveKey(executor, purpose)
  if (row === undefined) throw new Error(`signing key ${purpose.purpose} vanished while it was made`)
  return row
}

/** The key that signs now. */
async function liveKey(executor: Executor, purpose: SigningPurpose): Promise<SigningKeyRow | undefined> {
  return keys(executor, purpose).where('retired_at', 'is', null).executeTakeFirst()
}

/** Every key whose signatures still count, the retired ones too. */
export async function listSigningKeys(executor: Executor, purpose: SigningPurpose): Promise<readonly SigningKeyRow[]> {
  return keys(executor, purpose).orderBy('created_at').execute()
}

function keys(executor: Executor, purpose: SigningPurpose) {
  return executor
    .selectFrom('signing_keys')
    .selectAll()
    .where('purpose', '=', purpose.purpose)
    .where('cell_id', 'is not distinct from', cellOf(purpose))
}

function cellOf(purpose: SigningPurpose): string | null {
  return purpose.purpose === 'cell' ? purpose.cellId : null
}
