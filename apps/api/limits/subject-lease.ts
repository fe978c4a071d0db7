import { leaseShare, type RequestLease } from '#libs/store/request-leases'

/** Milliseconds for which calls that were leased may be used. */
const usableMs = 2000

/**
 * What this replica may admit of one subject's calls, a tenant's or a principal's, without asking the database. Times are
 * milliseconds of one steady clock.
 */
export class SubjectLease {
  /** What the replicas count by: the tenant's id or the principal's. */
  readonly subject: string
  #perSecond: number
  #calls = 0
  #usableUntil = 0
  #blockedUntil = 0
  #backlogMs = 0
  #asOf = 0

  constructor(subject: string, perSecond: number) {
    this.subject = subject
    this.#perSecond = perSecond
  }

  get perSecond(): number {
    return this.#perSecond
  }

  /** Uses one call of the lease, if there is one. */
  take(now: number): boolean {
    if (!this.#hasCalls(now)) return false
    this.#calls -= 1
    return true
  }

  /** A call that was taken is not made after all. */
  giveBack(): void {
    this.#calls += 1
  }

  /** Whether another lease has to be asked for, and may be. */
  isDry(now: number): boolean {
    return !this.#hasCalls(now) && !this.isExhausted(now)
  }

  /** Whether all replicas together are at the limit: nobody needs to ask again before `retryAfterMs`. */
  isExhausted(now: number): boolean {
    return !this.#hasCalls(now) && now < this.#blockedUntil
  }

  retryAfterMs(now: number): number {
    return Math.max(0, this.#blockedUntil - now)
  }

  /** Calls that would be admitted at this moment, as far as this replica knows. */
  remaining(now: number): number {
    if (this.isExhausted(now)) return 0
    const calls = this.#hasCalls(now) ? this.#calls : 0
    return Math.min(this.#perSecond, calls + this.#room(now))
  }

  /** @param askedAt when the database was asked: an answer may be late, and must not count as newer than it is. */
  deposit({ granted, perSecond, backlogMs }: RequestLease, askedAt: number): void {
    this.#calls = (this.#hasCalls(askedAt) ? this.#calls : 0) + granted
    this.#usableUntil = askedAt + usableMs
    this.#perSecond = perSecond
    this.#backlogMs = backlogMs
    this.#asOf = askedAt
    // Whoever meets an empty hand waits until a lease's worth has leaked away, or it would be asked for call by call.
    const untilNextLease = backlogMs - 1000 + leaseSize(perSecond) * (1000 / perSecond)
    this.#blockedUntil = this.#room(askedAt) >= 1 ? 0 : askedAt + untilNextLease
  }

  /** The same by this replica's own count, while the database does not answer. */
  fillLocally(now: number): void {
    const backlogMs = this.#backlog(now)
    const granted = Math.min(leaseSize(this.#perSecond), this.#room(now))
    const lease = { granted, perSecond: this.#perSecond, backlogMs: backlogMs + granted * (1000 / this.#perSecond) }
    this.deposit(lease, now)
  }

  #hasCalls(now: number): boolean {
    return this.#calls > 0 && now < this.#usableUntil
  }

  #room(now: number): number {
    return Math.max(0, Math.floor(1e-3 + this.#perSecond * (1 - this.#backlog(now) / 1000)))
  }

  #backlog(now: number): number {
    return Math.max(0, this.#backlogMs - (now - this.#asOf))
  }
}

function leaseSize(perSecond: number): number {
  return Math.ceil(perSecond * leaseShare)
}
