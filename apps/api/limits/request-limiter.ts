import { setTimeout as delay } from 'node:timers/promises'
import { AppError } from '#libs/base'
import { type PaceLimit, paceOf } from '#libs/domain/tenants'
import type { Database } from '#libs/store'
import { type LeaseWish, leaseRequests } from '#libs/store/request-leases'
import { Counter, type Registry } from '#libs/telemetry'
import { TenantReads } from '../reads/tenant-reads.ts'
import type { Admission } from '../transport/admission.ts'
import { HeldRefusals } from './held-refusals.ts'
import { rateHeaders } from './rate-headers.ts'
import { SubjectLease } from './subject-lease.ts'

/** Who calls, as far as the token's signature vouches for it. */
export interface Caller {
  readonly tenantId: string
  readonly principalId: string
}

export interface RequestLimiterDeps {
  /** As the role aqueduct_api. */
  readonly database: Database
  readonly registry: Registry
}

/** How a caller's calls are counted: `name` is what headers, messages and metrics call it. */
interface Kind {
  readonly limit: PaceLimit
  readonly name: string
}

const account: Kind = { limit: 'requestsPerSecond', name: 'account' }
const user: Kind = { limit: 'userRequestsPerSecond', name: 'user' }
const serviceAccount: Kind = { limit: 'serviceAccountRequestsPerSecond', name: 'service-account' }

/** Milliseconds that a call waits for the database to be counted; then this replica counts it by itself. */
const patienceMs = 500
/** Milliseconds for which a database that did not answer is left alone. */
const localMs = 1000
/** Subjects that are remembered; the one that called longest ago is forgotten first, and only asks anew. */
const maxSubjects = 20_000
/** Leases that one call may ask for: others may use up what it waited for. */
const maxAsks = 4

interface Wish {
  readonly lease: SubjectLease
  readonly kind: Kind
  /** Whether a call waits for it, and not only may need it next. */
  readonly waits: boolean
}

/**
 * Counts calls by principal and by tenant over all replicas, and says who is too fast. A replica leases calls from the
 * buckets in the database, some at a time (docs/decisions/0015); who is over a limit is refused from memory.
 */
export class RequestLimiter {
  readonly #reads: TenantReads<Wish, unknown>
  readonly #leases = new Map<string, SubjectLease>()
  readonly #held = new HeldRefusals()
  readonly #refusals: Counter<'limit'>
  readonly #local: Counter
  /** By tenant, since one whose calls all wait for a lock waits for its own connections. */
  readonly #localUntil = new Map<string, number>()

  constructor({ database, registry }: RequestLimiterDeps) {
    this.#reads = new TenantReads(database, async (executor, tenantId, wishes) => {
      const askedAt = performance.now()
      const leases = await leaseRequests(executor, tenantId, summed(wishes))
      for (const lease of new Set(wishes.map((wish) => wish.lease))) {
        const leased = leases.get(lease.subject)
        // There is no such tenant: whoever authenticates the caller will say so.
        if (leased === undefined) lease.fillLocally(askedAt)
        else lease.deposit(leased, askedAt)
      }
      return leases
    })
    this.#refusals = new Counter({
      name: 'aqueduct_api_rate_limited_total',
      help: 'Calls that were refused for coming too fast, by limit',
      labelNames: ['limit'],
      registers: [registry],
    })
    this.#local = new Counter({
      name: 'aqueduct_api_local_leases_total',
      help: 'Leases of calls that a replica gave itself, since the database did not answer',
      registers: [registry],
    })
  }

  /** Whether the call may go on, and what every answer to this caller says about its limits. Never rejects. */
  async admit({ tenantId, principalId }: Caller): Promise<Admission> {
    const kind = principalId.startsWith('sa-') ? serviceAccount : user
    const own = this.#lease(principalId, kind)
    const all = this.#lease(tenantId, account)
    // The principal first: one key that floods is cut by its own limit, and takes from its colleagues' no more than that.
    let refused: { readonly lease: SubjectLease; readonly kind: Kind } | undefined
    if (!(await this.#take(tenantId, { lease: own, kind }, { lease: all, kind: account })))
      refused = { lease: own, kind }
    else if (!(await this.#take(tenantId, { lease: all, kind: account }))) {
      own.giveBack()
      refused = { lease: all, kind: account }
    }
    const headers = rateHeaders(performance.now(), [
      { name: kind.name, lease: own },
      { name: account.name, lease: all },
    ])
    if (refused === undefined) return { headers }
    this.#refusals.inc({ limit: refused.kind.name })
    await this.#held.hold(refused.lease)
    return { headers, refusal: tooFast(refused.lease, refused.kind) }
  }

  async #take(
    tenantId: string,
    { lease, kind }: Omit<Wish, 'waits'>,
    next?: Omit<Wish, 'waits'> | undefined,
  ): Promise<boolean> {
    for (let asked = 0; ; asked += 1) {
      const now = performance.now()
      if (lease.take(now)) return true
      if (lease.isExhausted(now) || asked >= maxAsks) return false
      const wishes = [{ lease, kind, waits: true }]
      if (next?.lease.isDry(now) === true) wishes.push({ ...next, waits: false })
      await this.#ask(tenantId, wishes)
    }
  }

  async #ask(tenantId: string, wishes: readonly Wish[]): Promise<void> {
    if (performance.now() >= (this.#localUntil.get(tenantId) ?? 0)) {
      const over = new AbortController()
      const late = delay(patienceMs, 'late', { signal: over.signal }).catch(() => 'late')
      const answered = Promise.all(wishes.map((wish) => this.#reads.read(tenantId, wish))).then(
        () => 'answered',
        () => 'failed',
      )
      const outcome = await Promise.race([answered, late])
      over.abort()
      if (outcome === 'answered') {
        this.#localUntil.delete(tenantId)
        return
      }
      this.#localUntil.set(tenantId, performance.now() + localMs)
    }
    const now = performance.now()
    for (const { lease } of wishes) if (lease.isDry(now)) lease.fillLocally(now)
    this.#local.inc()
  }

  #lease(subject: string, { limit }: Kind): SubjectLease {
    const lease = this.#leases.get(subject) ?? new SubjectLease(subject, paceOf({})[limit])
    this.#leases.delete(subject)
    this.#leases.set(subject, lease)
    if (this.#leases.size > maxSubjects) {
      for (const oldest of this.#leases.keys()) {
        this.#leases.delete(oldest)
        break
      }
    }
    return lease
  }
}

/** One wish a subject, for all the calls that wait for it. */
function summed(wishes: readonly Wish[]): readonly LeaseWish[] {
  const bySubject = new Map<string, { subject: string; limit: PaceLimit; calls: number }>()
  for (const { lease, kind, waits } of wishes) {
    const sum = bySubject.get(lease.subject) ?? { subject: lease.subject, limit: kind.limit, calls: 0 }
    sum.calls += waits ? 1 : 0
    bySubject.set(lease.subject, sum)
  }
  return [...bySubject.values()]
}

function tooFast(lease: SubjectLease, { name }: Kind): AppError {
  const retryAfterSeconds = Math.max(1, Math.ceil(lease.retryAfterMs(performance.now()) / 1000))
  const whose = name === 'account' ? 'all users and service accounts of the account together' : `one ${name}`
  const message = `too many requests: ${whose.replace('-', ' ')} may make ${lease.perSecond} a second. Try again in ${retryAfterSeconds} s`
  return new AppError('exhausted', message, { context: { limit: name, retryAfterSeconds } })
}
