import { Client } from 'pg'

/** One statement as it went to Postgres. */
export interface Statement {
  readonly text: string
  readonly values: readonly unknown[]
}

export interface StatementRecorder {
  /**
   * Runs `work`, and returns every statement that this process sent meanwhile, over whichever connection: the first of
   * each text, and how often it was sent.
   */
  during(work: () => Promise<unknown>): Promise<readonly (Statement & { readonly times: number })[]>
  stop(): void
}

/** Listens at every connection that is made from now on: one that is there already may have kept its own way to send. */
export function recordStatements(): StatementRecorder {
  let seen: Map<string, Statement & { times: number }> | undefined
  const original = Client.prototype.query
  // What `pg` takes has many shapes; Kysely and our own code use two of them.
  function recording(this: Client, ...args: unknown[]): unknown {
    const [first, second] = args
    if (typeof first === 'string') note(first, Array.isArray(second) ? second : [])
    else if (typeof first === 'object' && first !== null && 'text' in first) {
      const { text, values } = first as { text: string; values?: readonly unknown[] }
      note(text, values ?? (Array.isArray(second) ? second : []))
    }
    return (original as (...all: unknown[]) => unknown).apply(this, args)
  }
  function note(text: string, values: readonly unknown[]): void {
    const known = seen?.get(text)
    if (known === undefined) seen?.set(text, { text, values, times: 1 })
    else known.times += 1
  }
  Client.prototype.query = recording as typeof original
  return {
    async during(work) {
      seen = new Map()
      await work()
      const statements = [...seen.values()]
      seen = undefined
      return statements
    },
    stop() {
      Client.prototype.query = original
    },
  }
}
