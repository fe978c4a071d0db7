import type { Database, Executor } from '#libs/store'

interface Batch<Wanted, Row> {
  readonly wanted: Wanted[]
  readonly answer: Promise<ReadonlyMap<string, Row>>
}

/** Reads everything that is wanted of one tenant in one statement, by id; what is not there is missing. */
export type ReadBatch<Wanted, Row> = (
  executor: Executor,
  tenantId: string,
  wanted: readonly Wanted[],
) => Promise<ReadonlyMap<string, Row>>

/**
 * Reads that many calls make at once, in few statements. For each tenant one statement is under way; who comes meanwhile
 * shares the *next* one, never the running one, which may have read the rows already: everybody sees what was there
 * when they came. A call on its own waits for nobody.
 */
export class TenantReads<Wanted, Row> {
  readonly #database: Database
  readonly #read: ReadBatch<Wanted, Row>
  /** By tenant: the batch that still takes callers. */
  readonly #open = new Map<string, Batch<Wanted, Row>>()
  /** By tenant: the batch that was opened last, whether it still takes callers or not. */
  readonly #latest = new Map<string, Batch<Wanted, Row>>()

  constructor(database: Database, read: ReadBatch<Wanted, Row>) {
    this.#database = database
    this.#read = read
  }

  /** @returns what the statement found, for this caller and for the others who share it. */
  async read(tenantId: string, wanted: Wanted): Promise<ReadonlyMap<string, Row>> {
    const batch = this.#open.get(tenantId) ?? this.#begin(tenantId)
    batch.wanted.push(wanted)
    return batch.answer
  }

  #begin(tenantId: string): Batch<Wanted, Row> {
    const before = this.#latest.get(tenantId)
    const wanted: Wanted[] = []
    const batch = { wanted, answer: this.#run(tenantId, wanted, before) }
    this.#open.set(tenantId, batch)
    this.#latest.set(tenantId, batch)
    const forget = () => {
      if (this.#latest.get(tenantId) === batch) this.#latest.delete(tenantId)
    }
    batch.answer.then(forget, forget)
    return batch
  }

  async #run(tenantId: string, wanted: readonly Wanted[], before: Batch<Wanted, Row> | undefined) {
    // How the one before ended is for its own callers. The wait, if only for a turn, lets `#begin` note the batch first.
    await before?.answer.catch(() => undefined)
    this.#open.delete(tenantId)
    return this.#database.ofTenant(tenantId, (executor) => this.#read(executor, tenantId, wanted))
  }
}
