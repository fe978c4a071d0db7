import type { JWK } from 'jose'
import { jwks, newSigningKey } from '#libs/pki'
import type { Sealer } from '#libs/sealing'
import type { Executor } from '#libs/store'
import { ensureSigningKey, listSigningKeys, type SigningPurpose } from '#libs/store/signing-keys'

export interface OpenSigningKey {
  readonly kid: string
  readonly privateJwk: JWK
}

/** The key that signs now, in the clear; made when there is none yet. */
export async function openSigningKey(
  executor: Executor,
  sealer: Sealer,
  purpose: SigningPurpose,
): Promise<OpenSigningKey> {
  const row = await ensureSigningKey(executor, purpose, async () => {
    const made = await newSigningKey()
    return {
      kid: made.kid,
      publicJwk: made.publicJwk,
      privateJwkSealed: sealer.seal(JSON.stringify(made.privateJwk), `signing_keys/${made.kid}`),
    }
  })
  const privateJwk: JWK = JSON.parse(sealer.open(row.private_jwk_sealed, `signing_keys/${row.kid}`).toString('utf8'))
  return { kid: row.kid, privateJwk }
}

/** The public half of every key whose signatures still count, as a JWKS. */
export async function readJwks(executor: Executor, purpose: SigningPurpose): Promise<string> {
  const rows = await listSigningKeys(executor, purpose)
  return jwks(rows.map((row) => row.public_jwk as JWK))
}
