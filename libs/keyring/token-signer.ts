import { importJWK, type JWTPayload, SignJWT } from 'jose'
import type { OpenSigningKey } from './signing-keys.ts'

/** Signs ES256 tokens with one key; the key is imported once. */
export type TokenSigner = (claims: JWTPayload, lifetime: { readonly notAfter: Date }) => Promise<string>

export async function tokenSigner(key: OpenSigningKey): Promise<TokenSigner> {
  const privateKey = await importJWK(key.privateJwk, 'ES256')
  return (claims, { notAfter }) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256', kid: key.kid, typ: 'JWT' })
      .setIssuedAt()
      .setExpirationTime(Math.floor(notAfter.getTime() / 1000))
      .sign(privateKey)
}
