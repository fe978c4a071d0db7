import type { EdgeRefusal } from '#libs/domain/edges'

/** Milliseconds for which equal refusals become one. */
export const foldMs = 30_000
/** Kinds of one namespace that are told apart in that time, so that one tenant's flood leaves room for the others. */
const maxKindsOfNamespace = 200
const maxKinds = 2_000

/** Equal refusals since the first of them was told. Plain JSON: it is on disk with the place in the file that it stands for. */
export interface FoldWindow {
  readonly kind: string
  readonly namespaceId: string
  /** Milliseconds since 1970. */
  readonly endsAt: number
  /** Refusals that were not told yet; 0 right after one was. */
  readonly latest?: EdgeRefusal
}

/**
 * Makes few of many equal refusals: the first one is told at once, and those that follow within 30 seconds as one.
 * Equal means same namespace, method, outcome, reason, caller and source. Where a namespace has too many kinds of them, the rest is
 * told apart by outcome alone.
 */
export class RefusalFold {
  /** The one that ends first comes first. */
  readonly #windows = new Map<string, FoldWindow>()
  readonly #kindsOf = new Map<string, number>()

  readonly #ms: number

  constructor(windows: readonly FoldWindow[], ms = foldMs) {
    this.#ms = ms
    for (const window of windows) this.#open(window)
  }

  get windows(): readonly FoldWindow[] {
    return [...this.#windows.values()]
  }

  /** @returns what to tell now; undefined when it was folded into one that comes later. */
  take(refusal: EdgeRefusal, now: number): EdgeRefusal | undefined {
    const { namespaceId, outcome, operation, reason, principalId, keyId, fingerprint, sourceAddress } = refusal
    const caller = [principalId, keyId, fingerprint, sourceAddress]
    const kind = JSON.stringify([namespaceId, outcome, operation, reason, ...caller])
    if (this.#folds(kind, refusal)) return undefined
    if ((this.#kindsOf.get(namespaceId) ?? 0) < maxKindsOfNamespace && this.#windows.size < maxKinds) {
      this.#open({ kind, namespaceId, endsAt: now + this.#ms })
      return refusal
    }
    const nobody = { principalId: '', keyId: '', fingerprint: '', sourceAddress: '', requestId: '' }
    const coarse = { ...refusal, ...nobody, operation: 'several', severalCallers: true as const }
    const coarseKind = JSON.stringify([namespaceId, outcome])
    if (this.#folds(coarseKind, coarse)) return undefined
    this.#open({ kind: coarseKind, namespaceId, endsAt: now + this.#ms })
    return coarse
  }

  /** What windows that have ended hold. Whoever goes on goes on in the next one. */
  ended(now: number): readonly EdgeRefusal[] {
    const told: EdgeRefusal[] = []
    for (const [kind, window] of this.#windows) {
      // A clock that was set back must not hold them for longer than a window.
      if (window.endsAt > now && window.endsAt <= now + this.#ms) continue
      this.#windows.delete(kind)
      this.#count(window.namespaceId, -1)
      if (window.latest === undefined) continue
      told.push(window.latest)
      this.#open({ kind, namespaceId: window.namespaceId, endsAt: now + this.#ms })
    }
    return told
  }

  #folds(kind: string, refusal: EdgeRefusal): boolean {
    const window = this.#windows.get(kind)
    if (window === undefined) return false
    const { latest } = window
    const repeats = (latest?.repeats ?? 0) + refusal.repeats
    this.#windows.set(kind, { ...window, latest: { ...refusal, repeats, firstAt: latest?.firstAt ?? refusal.at } })
    return true
  }

  #open(window: FoldWindow): void {
    this.#windows.set(window.kind, window)
    this.#count(window.namespaceId, 1)
  }

  #count(namespaceId: string, more: number): void {
    const count = (this.#kindsOf.get(namespaceId) ?? 0) + more
    if (count > 0) this.#kindsOf.set(namespaceId, count)
    else this.#kindsOf.delete(namespaceId)
  }
}
