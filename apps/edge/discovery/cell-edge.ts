import { setTimeout as delay } from 'node:timers/promises'
import type { EdgeIntent } from '#libs/domain/edges'
import type { Logger } from '#libs/telemetry'
import type { DocumentText } from '../translate/document.ts'
import type { EdgeProblem } from '../translate/translate.ts'
import type { DiscoveryMetrics } from './discovery-metrics.ts'
import { TranslationCache } from './translation-cache.ts'

export interface CellEdgeDeps {
  readonly cellId: string
  readonly readIntent: (cellId: string) => Promise<EdgeIntent | undefined>
  readonly logger: Logger
  readonly metrics: DiscoveryMetrics
}

/** Milliseconds from the start of one build to the next: a burst of changes costs few builds, a lone one no delay. */
const minGapMs = 50
const retryMs = 1_000

/**
 * The edge document of one cell. It is built when somebody asks for it, and anew after a change if somebody waits; never
 * twice at a time.
 */
export class CellEdge {
  readonly #deps: CellEdgeDeps
  readonly #cache = new TranslationCache()
  readonly #waiters = new Set<() => void>()
  #document: DocumentText | undefined
  /** Counts changes; a build takes care of those that were known when it began. */
  #changes = 1
  #built = 0
  #building: Promise<void> | undefined
  #startedAt = Number.NEGATIVE_INFINITY
  #reported = new Map<string, string>()

  constructor(deps: CellEdgeDeps) {
    this.#deps = deps
  }

  /** Tells that the intent may have changed. */
  change(): void {
    this.#changes += 1
    if (this.#waiters.size > 0) this.#refreshSoon()
  }

  /**
   * The document as it is now, or undefined when there is no such cell.
   * @throws Error when it cannot be built and never could.
   */
  async current(): Promise<DocumentText | undefined> {
    try {
      await this.#refresh()
    } catch (thrown) {
      if (this.#document === undefined) throw thrown
    }
    return this.#document
  }

  /** Resolves when the document is another one than `version`, when the time is over, or when `signal` aborts. */
  async awaitChange(version: string, waitMs: number, signal: AbortSignal): Promise<void> {
    const { metrics } = this.#deps
    const done = Promise.withResolvers<void>()
    const waiter = (): void => {
      if (this.#document?.version !== version) done.resolve()
    }
    const timer = setTimeout(done.resolve, waitMs)
    signal.addEventListener('abort', () => done.resolve(), { once: true })
    if (signal.aborted) done.resolve()
    this.#waiters.add(waiter)
    metrics.waiting.inc()
    // A change may have come between the answer to `current` and this.
    if (this.#built < this.#changes) this.#refreshSoon()
    waiter()
    await done.promise
    clearTimeout(timer)
    this.#waiters.delete(waiter)
    metrics.waiting.dec()
  }

  #refreshSoon(): void {
    this.#refresh().catch(() => {
      // Logged where it was thrown. Nobody is told of a change again, so it is looked at again.
      setTimeout(() => {
        if (this.#waiters.size > 0 && this.#built < this.#changes) this.#refreshSoon()
      }, retryMs).unref()
    })
  }

  async #refresh(): Promise<void> {
    while (this.#built < this.#changes) {
      this.#building ??= this.#build().finally(() => {
        this.#building = undefined
      })
      await this.#building
    }
  }

  async #build(): Promise<void> {
    const { cellId, readIntent, logger, metrics } = this.#deps
    await delay(Math.max(0, this.#startedAt + minGapMs - performance.now()))
    this.#startedAt = performance.now()
    const changes = this.#changes
    try {
      const intent = await readIntent(cellId)
      const translation = intent === undefined ? undefined : this.#cache.translate(intent)
      this.#document = translation
      this.#report(translation?.problems ?? [])
    } catch (thrown) {
      metrics.builds.inc({ result: 'failed' })
      logger.error({ err: thrown, cellId }, 'the edge of the cell cannot be built: nodes keep what they have')
      throw thrown
    }
    this.#built = changes
    metrics.builds.inc({ result: 'built' })
    metrics.buildSeconds.observe((performance.now() - this.#startedAt) / 1000)
    for (const waiter of this.#waiters) waiter()
  }

  /** Logs each problem once, not once a build. */
  #report(problems: readonly EdgeProblem[]): void {
    const { cellId, logger, metrics } = this.#deps
    const reported = new Map(problems.map(({ namespaceId, message }) => [namespaceId, message]))
    for (const [namespaceId, message] of reported) {
      if (this.#reported.get(namespaceId) === message) continue
      logger.error({ cellId, namespaceId, reason: message }, 'the edge leaves a namespace out')
    }
    this.#reported = reported
    metrics.leftOut.set({ cell: cellId }, reported.size)
  }
}
