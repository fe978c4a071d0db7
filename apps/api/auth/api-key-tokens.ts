import { apiKeyAudience, apiKeyIssuer, openSigningKey, tokenSigner } from '#libs/keyring'
import type { Sealer } from '#libs/sealing'
import type { Database } from '#libs/store'

export interface ApiKeyTokenClaims {
  readonly tenantId: string
  /** `usr-…` or `sa-…` */
  readonly principalId: string
  /** `key-…` */
  readonly keyId: string
  readonly expiresAt: Date
}

/** Makes the tokens that are shown once, when a key is created. */
export interface ApiKeyTokens {
  mint(key: ApiKeyTokenClaims): Promise<string>
}

export interface ApiKeyTokensDeps {
  readonly database: Database
  readonly sealer: Sealer
}

/** Reads the signing key each time: keys are made rarely, and a rotated key must not sign from a memory. */
export function apiKeyTokens({ database, sealer }: ApiKeyTokensDeps): ApiKeyTokens {
  return {
    async mint({ tenantId, principalId, keyId, expiresAt }) {
      const sign = await tokenSigner(await openSigningKey(database.all, sealer, { purpose: 'api_key' }))
      const claims = { iss: apiKeyIssuer, aud: apiKeyAudience, sub: principalId, jti: keyId, account: tenantId }
      return sign(claims, { notAfter: expiresAt })
    },
  }
}
