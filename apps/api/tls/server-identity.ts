import { createSecureContext } from 'node:tls'

/** A certificate with its issuers, leaf first, and its key; PEM. */
export interface CertificatePair {
  readonly certificateChain: string
  readonly key: string
}

/** What this process shows on its TLS listeners; it can be replaced while they serve. */
export class ServerIdentity implements CertificatePair {
  #pair: CertificatePair
  readonly #listeners = new Set<(pair: CertificatePair) => void>()

  /** @throws Error when the two do not fit each other. */
  constructor(pair: CertificatePair) {
    check(pair)
    this.#pair = pair
  }

  get certificateChain(): string {
    return this.#pair.certificateChain
  }

  get key(): string {
    return this.#pair.key
  }

  /** Tells of every later pair. */
  readonly onChange = (listener: (pair: CertificatePair) => void): void => {
    this.#listeners.add(listener)
  }

  /** @throws Error when the two do not fit each other: the present pair stays then. */
  replace(pair: CertificatePair): void {
    check(pair)
    this.#pair = pair
    for (const listener of this.#listeners) listener(pair)
  }
}

function check({ certificateChain, key }: CertificatePair): void {
  createSecureContext({ cert: certificateChain, key })
}
