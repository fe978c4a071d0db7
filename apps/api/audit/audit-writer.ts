import { setTimeout as delay } from 'node:timers/promises'
import { coerceError } from '#libs/base'
import { type Database, isDatabaseUnavailable } from '#libs/store'
import {
  type AuditEntry,
  type AuditInterface,
  appendAuditEntries,
  appendAuditEntriesOfOneChain,
  auditBatchSize,
} from '#libs/store/audit'
import type { Logger } from '#libs/telemetry'
import type { AuditMetrics } from './audit-metrics.ts'
import { RefusalFolder } from './fold-refusals.ts'

/** Where refusals go. It never fails and nobody waits for it. */
export interface AuditRecorder {
  record(entry: AuditEntry): void
}

export interface AuditWriterDeps {
  readonly database: Database
  readonly logger: Logger
  readonly metrics: AuditMetrics
  /** What an entry about lost entries says it came by. */
  readonly interface: AuditInterface
  /** Milliseconds that equal refusals are folded for. */
  readonly foldMs?: number
  /** Entries that are kept while the database is away. */
  readonly maxPending?: number
}

/** Milliseconds that an entry waits for others to share a statement with. */
const flushMs = 50
/** Milliseconds between two looks for windows of folding that have ended. */
const sweepMs = 1_000
/** Milliseconds to wait for a database that did not answer. */
const pauseMs = 1_000
/** Milliseconds that a stop waits for a database that does not answer. */
const stopMs = 5_000
/** Chains that are waited for at once, when somebody holds them: each takes a connection meanwhile. */
const maxWaiting = 2

/**
 * Writes entries that belong to no change: what was refused. They are gathered, and written many in a statement. While
 * the database is away they are kept, up to a bound; what has to be dropped is counted, and written down as a number.
 */
export class AuditWriter implements AuditRecorder {
  readonly #deps: AuditWriterDeps
  readonly #maxPending: number
  readonly #folder: RefusalFolder
  readonly #sweep: NodeJS.Timeout
  #pending: AuditEntry[] = []
  /** Of chains that somebody held. */
  readonly #held = new Map<string, AuditEntry[]>()
  readonly #waiting = new Set<Promise<void>>()
  #lost = 0
  #timer: NodeJS.Timeout | undefined
  #flushing: Promise<void> | undefined

  constructor(deps: AuditWriterDeps) {
    this.#deps = deps
    this.#maxPending = deps.maxPending ?? 10_000
    this.#folder = new RefusalFolder(deps.foldMs)
    this.#sweep = setInterval(() => this.#unfold(performance.now()), Math.min(sweepMs, deps.foldMs ?? sweepMs))
    this.#sweep.unref()
  }

  record(entry: AuditEntry): void {
    // A copy: a piece of a text keeps the whole text in memory, a request perhaps, for as long as the entry waits.
    const dated = structuredClone({ occurredAt: new Date(), ...entry })
    // What was done is an entry of its own each time.
    const now = dated.outcome === 'OK' ? dated : this.#folder.take(dated, performance.now())
    if (now === undefined) this.#deps.metrics.folded.inc()
    else this.#enqueue(now)
  }

  /** Everything that was recorded until now is written, or lost, when it resolves; what was folded as well. */
  async flush(): Promise<void> {
    this.#unfold(Number.POSITIVE_INFINITY)
    while (this.#pending.length > 0 || this.#flushing !== undefined || this.#waiting.size > 0) {
      await Promise.all([this.#flushNow(), ...this.#waiting])
    }
  }

  /** Writes what is left, for as long as it is worth waiting. */
  async stop(): Promise<void> {
    clearInterval(this.#sweep)
    const ending = new AbortController()
    const inTime = delay(stopMs, false, { signal: ending.signal }).catch(() => false)
    const written = await Promise.race([this.flush().then(() => true), inTime])
    ending.abort()
    clearTimeout(this.#timer)
    if (written) return
    const left = this.#count()
    this.#pending = []
    this.#held.clear()
    this.#lose(left)
    this.#deps.logger.error({ entries: this.#lost }, 'audit entries are lost: the database did not answer')
  }

  #unfold(now: number): void {
    for (const entry of this.#folder.ended(now)) this.#enqueue(entry)
  }

  #enqueue(entry: AuditEntry): void {
    if (this.#count() >= this.#maxPending) return this.#lose(1)
    this.#pending.push(entry)
    this.#schedule(flushMs)
  }

  #count(): number {
    let count = this.#pending.length
    for (const entries of this.#held.values()) count += entries.length
    return count
  }

  #lose(entries: number): void {
    this.#lost += entries
    this.#deps.metrics.lost.inc(entries)
  }

  #schedule(ms: number): void {
    if (this.#timer !== undefined || this.#flushing !== undefined) return
    this.#timer = setTimeout(() => void this.#flushNow(), ms)
  }

  #flushNow(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#flushing ??= this.#writePending().finally(() => {
      this.#flushing = undefined
      if (this.#pending.length > 0) this.#schedule(flushMs)
    })
    return this.#flushing
  }

  async #writePending(): Promise<void> {
    const lost = this.#lost
    const note = lost === 0 ? [] : [this.#lostEntry(lost)]
    const batch = this.#pending.splice(0, auditBatchSize - note.length)
    if (batch.length + note.length === 0) return
    try {
      const left = await appendAuditEntries(this.#deps.database, [...note, ...batch])
      this.#lost -= lost
      this.#deps.metrics.written.inc(batch.length - left.length)
      for (const [chain, entries] of Map.groupBy(left, ({ tenantId = '' }) => tenantId)) this.#hold(chain, entries)
      this.#waitForChains()
    } catch (thrown) {
      await this.#failed(batch, thrown)
    }
  }

  async #failed(batch: readonly AuditEntry[], thrown: unknown): Promise<void> {
    const { logger } = this.#deps
    if (isDatabaseUnavailable(thrown)) {
      this.#pending = [...batch, ...this.#pending]
      logger.warn({ err: coerceError(thrown), entries: this.#pending.length }, 'audit entries wait for the database')
      await delay(pauseMs)
      return
    }
    // One that Postgres does not take must not keep the others out.
    for (const entry of batch) {
      try {
        await appendAuditEntriesOfOneChain(this.#deps.database, [entry])
        this.#deps.metrics.written.inc()
      } catch (why) {
        logger.error({ err: coerceError(why), operation: entry.operation }, 'an audit entry is lost')
        this.#lose(1)
      }
    }
  }

  #hold(chain: string, entries: readonly AuditEntry[]): void {
    this.#held.set(chain, [...(this.#held.get(chain) ?? []), ...entries])
  }

  /** Apart from the others: whoever holds a chain holds up nobody else's entries. */
  #waitForChains(): void {
    for (const [chain, entries] of this.#held) {
      if (this.#waiting.size >= maxWaiting) return
      this.#held.delete(chain)
      const waiting: Promise<void> = this.#writeHeld(entries).finally(() => {
        this.#waiting.delete(waiting)
        this.#waitForChains()
      })
      this.#waiting.add(waiting)
    }
  }

  async #writeHeld(entries: readonly AuditEntry[]): Promise<void> {
    try {
      await appendAuditEntriesOfOneChain(this.#deps.database, entries)
      this.#deps.metrics.written.inc(entries.length)
    } catch (thrown) {
      await this.#failed(entries, thrown)
      if (this.#pending.length > 0) this.#schedule(flushMs)
    }
  }

  #lostEntry(lost: number): AuditEntry {
    return {
      interface: this.#deps.interface,
      operation: 'LostAuditEntries',
      principal: { type: 'system', id: 'api' },
      sourceAddress: '',
      target: {},
      outcome: 'DATA_LOSS',
      reason: `${lost} entries were not written: too many came while the database did not answer`,
      requestId: '',
      details: { entries: lost },
    }
  }
}
