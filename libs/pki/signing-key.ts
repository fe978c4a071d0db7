import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose'

/** A key pair for ES256 tokens. `privateJwk` is the secret: seal it. */
export interface SigningKey {
  /** RFC 7638 thumbprint of the public key. */
  readonly kid: string
  /** With `kid`, `alg` and `use`, as it stands in a JWKS. */
  readonly publicJwk: JWK
  readonly privateJwk: JWK
}

export async function newSigningKey(): Promise<SigningKey> {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true })
  const bare = await exportJWK(publicKey)
  const kid = await calculateJwkThumbprint(bare, 'sha256')
  const labels = { kid, alg: 'ES256', use: 'sig' }
  return { kid, publicJwk: { ...bare, ...labels }, privateJwk: { ...(await exportJWK(privateKey)), ...labels } }
}

/**
 * The JWKS document, as JSON, that verifiers fetch or read from a file.
 * @throws Error when a private key is among those given: the document is public.
 */
export function jwks(publicJwks: readonly JWK[]): string {
  if (publicJwks.some((key) => 'd' in key || 'k' in key)) throw new Error('a private key must not stand in a JWKS')
  return JSON.stringify({ keys: publicJwks })
}
