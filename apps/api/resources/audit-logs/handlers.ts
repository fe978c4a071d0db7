import { authorize } from '#libs/authz'
import { type Clock, invalidField } from '#libs/base'
import type { Database } from '#libs/store'
import { listAuditEntries } from '#libs/store/audit'
import { memberOf } from '../../auth/member.ts'
import { type PageTokens, pageOf } from '../../paging/page-tokens.ts'
import { type AuditLogHandlers, logRecordToWire, timeFromWire } from './wire.ts'

export interface AuditLogDeps {
  readonly database: Database
  readonly clock: Clock
  readonly pageTokens: PageTokens
}

/** Milliseconds that are shown when no start was given: 30 days, as the contract says. */
const defaultSpanMs = 30 * 86_400_000
/** The last moment that both a Date and a Postgres timestamp can name, and more than enough. */
const endOfTime = new Date('9999-12-31T23:59:59.999Z')

export function auditLogHandlers({ database, clock, pageTokens }: AuditLogDeps): AuditLogHandlers {
  return {
    async GetAuditLogs({ claims }, request) {
      const { tenantId } = memberOf(claims)
      const proof = authorize(claims, 'audit_log', 'list', { tenantId })
      const start = timeOf('start_time_inclusive', request.startTimeInclusive)
      const end = timeOf('end_time_exclusive', request.endTimeExclusive)
      if (start !== undefined && end !== undefined && start >= end) {
        throw invalidField('end_time_exclusive', 'must be after start_time_inclusive')
      }
      const filter = { start: start?.toISOString() ?? '', end: end?.toISOString() ?? '' }
      const scope = { tenantId, rpc: 'GetAuditLogs', filter }
      const page = pageTokens.read(scope, request)
      const wanted = {
        // The first page decided where the list begins: the default moves on with the clock.
        from: start ?? (page.after === undefined ? new Date(clock.now().getTime() - defaultSpanMs) : new Date(0)),
        to: end ?? endOfTime,
        after: page.after === undefined ? undefined : { chain: tenantId, seq: Number(page.after) },
        limit: page.size + 1,
      }
      const rows = await database.ofTenant(tenantId, (executor) => listAuditEntries(executor, proof, wanted))
      const { items, next } = pageOf(page, rows, (row) => String(row.seq))
      return {
        logs: items.map(logRecordToWire),
        nextPageToken: next === undefined ? '' : pageTokens.write(scope, next),
      }
    },
  }
}

function timeOf(field: string, sent: Parameters<typeof timeFromWire>[0]): Date | undefined {
  const time = timeFromWire(sent)
  if (time === null || (time !== undefined && (time.getTime() < 0 || time > endOfTime))) {
    throw invalidField(field, 'must be a time between 1970 and 9999')
  }
  return time
}
