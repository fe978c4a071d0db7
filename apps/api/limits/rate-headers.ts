import type { SubjectLease } from './subject-lease.ts'

export interface NamedLease {
  /** What the policy is called on the wire. */
  readonly name: string
  readonly lease: SubjectLease
}

/**
 * `RateLimit-Policy` and `RateLimit` as draft-ietf-httpapi-ratelimit-headers (from its eighth version on) has them: of
 * each limit its quota and window, and what is left of it and for how many seconds that holds. The same two are metadata
 * of gRPC answers.
 */
export function rateHeaders(now: number, leases: readonly NamedLease[]): Readonly<Record<string, string>> {
  const each = (parameters: (lease: SubjectLease) => string) =>
    leases.map(({ name, lease }) => `"${name}";${parameters(lease)}`).join(', ')
  return {
    'ratelimit-policy': each(({ perSecond }) => `q=${perSecond};w=1`),
    ratelimit: each((lease) => `r=${lease.remaining(now)};t=${Math.max(1, Math.ceil(lease.retryAfterMs(now) / 1000))}`),
  }
}
