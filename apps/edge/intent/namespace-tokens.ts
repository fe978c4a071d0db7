import { openSigningKey, type TokenSigner, tokenSigner } from '#libs/keyring'
import type { Sealer } from '#libs/sealing'
import type { Database } from '#libs/store'

/** Long enough for the edge to outlive an outage of the control plane for half of it, at the least. */
const lifetimeMs = 24 * 3_600_000

export interface NamespaceTokenPair {
  readonly write: string
  readonly read: string
}

interface Kept extends NamespaceTokenPair {
  readonly renewAt: number
}

export interface NamespaceTokensDeps {
  readonly database: Database
  readonly sealer: Sealer
}

/**
 * What the edge shows to a cell's frontends in place of the caller's credentials. Each names one namespace and one
 * permission. They are signed anew at half of their life (with a spread, so that a cell's tokens do not change all at
 * once) and travel in routes, whose change cuts no connection.
 */
export class NamespaceTokens {
  readonly #deps: NamespaceTokensDeps
  readonly #signers = new Map<string, Promise<TokenSigner>>()
  readonly #kept = new Map<string, Kept>()

  constructor(deps: NamespaceTokensDeps) {
    this.#deps = deps
  }

  async of(cellId: string, namespaceId: string): Promise<NamespaceTokenPair> {
    const key = `${cellId}/${namespaceId}`
    const now = Date.now()
    const kept = this.#kept.get(key)
    if (kept !== undefined && now < kept.renewAt) return kept
    const sign = await this.#signer(cellId)
    const notAfter = new Date(now + lifetimeMs)
    const [write, read] = await Promise.all([
      sign({ sub: 'edge', permissions: [`${namespaceId}:write`] }, { notAfter }),
      sign({ sub: 'edge', permissions: [`${namespaceId}:read`] }, { notAfter }),
    ])
    const made = { write, read, renewAt: now + lifetimeMs * (0.4 + Math.random() * 0.1) }
    this.#kept.set(key, made)
    return made
  }

  #signer(cellId: string): Promise<TokenSigner> {
    const known = this.#signers.get(cellId)
    if (known !== undefined) return known
    const { database, sealer } = this.#deps
    const opened = openSigningKey(database.all, sealer, { purpose: 'cell', cellId }).then(tokenSigner)
    this.#signers.set(cellId, opened)
    opened.catch(() => this.#signers.delete(cellId))
    return opened
  }
}
