import { createHash } from 'node:crypto'
import { type CryptoKey, errors, importJWK, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose'
import { AppError, type Clock } from '#libs/base'
import { apiKeyAudience, apiKeyIssuer } from '#libs/keyring'
import { refusedTo } from '../audit/known-caller.ts'

/** What a good signature vouches for: ids alone, never what they may do. */
export interface VerifiedToken {
  readonly tenantId: string
  readonly principalId: string
  readonly keyId: string
  readonly expiresAt: Date
}

export interface TokenVerifierDeps {
  /** The JWKS of every key whose signatures still count, as text. */
  readonly readJwks: () => Promise<string>
  readonly clock: Clock
  /** How many verified tokens are remembered. */
  readonly cacheSize?: number
}

/** Longer than any token of ours. */
const maxTokenLength = 4096
/** A stranger with invented key ids may not make us read the database more often than this. */
const reloadEveryMs = 1000

/**
 * Verifies API keys: ES256 alone, by a key of ours, with our issuer and audience, not expired. Verifying costs a tenth
 * of a millisecond of a core, so that good tokens are remembered, by their hash, until they expire.
 */
export class TokenVerifier {
  readonly #deps: TokenVerifierDeps
  readonly #cacheSize: number
  /** The least recently used first. */
  readonly #verified = new Map<string, VerifiedToken>()
  #keys: ReadonlyMap<string, CryptoKey> = new Map()
  #loadedAt = Number.NEGATIVE_INFINITY
  #loading: Promise<void> | undefined

  constructor(deps: TokenVerifierDeps) {
    this.#deps = deps
    this.#cacheSize = deps.cacheSize ?? 10_000
  }

  /** @throws AppError `unauthenticated`, in the words of Temporal Cloud. */
  async verify(token: string): Promise<VerifiedToken> {
    if (token.length > maxTokenLength) throw verificationFails()
    const hash = hashOf(token)
    const known = this.#recall(hash)
    if (known !== undefined) return known
    const verified = readPayload(await this.#verifySignature(token))
    this.#remember(hash, verified)
    return verified
  }

  /** Whether it was verified before, so that verifying it again costs next to nothing. */
  remembers(token: string): boolean {
    return token.length <= maxTokenLength && this.#verified.has(hashOf(token))
  }

  #recall(hash: string): VerifiedToken | undefined {
    const known = this.#verified.get(hash)
    if (known === undefined) return undefined
    this.#verified.delete(hash)
    if (known.expiresAt <= this.#deps.clock.now()) throw refusedTo(known, expired())
    this.#verified.set(hash, known)
    return known
  }

  #remember(hash: string, token: VerifiedToken): void {
    this.#verified.set(hash, token)
    if (this.#verified.size <= this.#cacheSize) return
    for (const oldest of this.#verified.keys()) {
      this.#verified.delete(oldest)
      return
    }
  }

  async #verifySignature(token: string): Promise<JWTPayload> {
    try {
      const { payload } = await jwtVerify(token, (header) => this.#key(header.kid), {
        algorithms: ['ES256'],
        issuer: apiKeyIssuer,
        audience: apiKeyAudience,
        requiredClaims: ['sub', 'jti', 'exp', 'account'],
        currentDate: this.#deps.clock.now(),
      })
      return payload
    } catch (thrown) {
      // Its signature and everything else about it was good.
      if (thrown instanceof errors.JWTExpired) throw refusedTo(readPayload(thrown.payload), expired())
      if (thrown instanceof errors.JOSEError) throw verificationFails()
      throw thrown
    }
  }

  async #key(kid: string | undefined): Promise<CryptoKey> {
    if (kid === undefined) throw verificationFails()
    if (!this.#keys.has(kid)) await this.#reload()
    const key = this.#keys.get(kid)
    if (key === undefined) throw verificationFails()
    return key
  }

  async #reload(): Promise<void> {
    if (this.#loading === undefined) {
      const now = performance.now()
      if (now - this.#loadedAt < reloadEveryMs) return
      this.#loading = this.#load().finally(() => {
        this.#loading = undefined
      })
      await this.#loading
      this.#loadedAt = now
      return
    }
    await this.#loading
  }

  async #load(): Promise<void> {
    const jwks = JSON.parse(await this.#deps.readJwks()) as JSONWebKeySet
    const keys = new Map<string, CryptoKey>()
    for (const jwk of jwks.keys) {
      const key = await importJWK(jwk, 'ES256')
      if (jwk.kid !== undefined && !(key instanceof Uint8Array)) keys.set(jwk.kid, key)
    }
    this.#keys = keys
  }
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('base64')
}

function readPayload(payload: JWTPayload): VerifiedToken {
  const { sub, jti, exp, account } = payload
  if (typeof sub !== 'string' || typeof jti !== 'string' || typeof account !== 'string' || typeof exp !== 'number') {
    throw verificationFails()
  }
  return { tenantId: account, principalId: sub, keyId: jti, expiresAt: new Date(exp * 1000) }
}

export function verificationFails(): AppError {
  return new AppError('unauthenticated', 'Jwt verification fails')
}

function expired(): AppError {
  return new AppError('unauthenticated', 'Jwt is expired')
}
