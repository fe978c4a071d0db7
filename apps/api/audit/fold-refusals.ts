import type { AuditEntry } from '#libs/store/audit'

/** Milliseconds for which equal refusals of one caller become one entry. */
const foldMs = 30_000
/** Different refusals of one tenant, or of all strangers together, that are told apart in that time. */
const maxKeysOfGroup = 1_000
/** The same over all tenants: what this process may hold in memory. */
const maxKeys = 20_000

interface Window {
  readonly group: string
  endsAt: number
  repeats: number
  firstAt: Date | undefined
  latest: AuditEntry
}

/**
 * Makes few entries of many equal refusals, so that a flood of them cannot fill the disk. The first one of its kind is an
 * entry at once; those that follow within 30 seconds become one entry together, with their number. Equal means: same
 * caller (principal, credential, source address), same operation, same outcome. Where somebody makes too many kinds of
 * them, as with many source addresses, the rest is told apart by operation and outcome alone.
 */
export class RefusalFolder {
  readonly #foldMs: number
  /** The one that ends first comes first. */
  readonly #windows = new Map<string, Window>()
  readonly #keysOfGroup = new Map<string, number>()

  constructor(windowMs = foldMs) {
    this.#foldMs = windowMs
  }

  /** @returns the entry to write now; undefined when it was folded into one that comes later. */
  take(entry: AuditEntry, now: number): AuditEntry | undefined {
    const { tenantId = '', principal, credential, sourceAddress, interface: way, operation, outcome } = entry
    const kind = [way, operation, outcome]
    // Strangers and operators share the fleet's chain, and not their room.
    const group = JSON.stringify([tenantId, principal.type])
    const key = JSON.stringify([group, ...kind, principal.id, credential?.id, sourceAddress])
    if (this.#folds(key, entry)) return undefined
    if ((this.#keysOfGroup.get(group) ?? 0) < maxKeysOfGroup && this.#windows.size < maxKeys) {
      return this.#open(key, group, entry, now)
    }
    const coarse = { ...entry, sourceAddress: '', target: {}, details: { ...entry.details, severalCallers: true } }
    const coarseKey = JSON.stringify([tenantId, ...kind])
    if (this.#folds(coarseKey, coarse)) return undefined
    return this.#open(coarseKey, '', coarse, now)
  }

  /** The entries of windows that have ended; of all windows when `now` is infinite. */
  ended(now: number): readonly AuditEntry[] {
    const entries: AuditEntry[] = []
    for (const [key, window] of this.#windows) {
      if (window.endsAt > now) break
      this.#windows.delete(key)
      if (window.repeats === 0) {
        this.#count(window.group, -1)
        continue
      }
      entries.push(foldedEntry(window))
      // Whoever goes on goes on in the next one.
      this.#windows.set(key, { ...window, endsAt: now + this.#foldMs, repeats: 0, firstAt: undefined })
    }
    return entries
  }

  #folds(key: string, entry: AuditEntry): boolean {
    const window = this.#windows.get(key)
    if (window === undefined) return false
    window.repeats += 1
    window.firstAt ??= entry.occurredAt
    window.latest = entry
    return true
  }

  #open(key: string, group: string, entry: AuditEntry, now: number): AuditEntry {
    this.#windows.set(key, { group, endsAt: now + this.#foldMs, repeats: 0, firstAt: undefined, latest: entry })
    this.#count(group, 1)
    return entry
  }

  #count(group: string, more: number): void {
    const count = (this.#keysOfGroup.get(group) ?? 0) + more
    if (count > 0) this.#keysOfGroup.set(group, count)
    else this.#keysOfGroup.delete(group)
  }
}

/** Target, reason and request id are those of the last one. */
function foldedEntry({ latest, repeats, firstAt }: Window): AuditEntry {
  const since = firstAt === undefined ? {} : { firstAt: firstAt.toISOString() }
  return { ...latest, repeats, details: { ...latest.details, ...since } }
}
