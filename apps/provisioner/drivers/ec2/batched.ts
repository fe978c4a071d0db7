import { setTimeout as delay } from 'node:timers/promises'

interface BatchOptions<Value> {
  /** Milliseconds that the first of a batch waits for others. */
  readonly waitMs: number
  /** Asks for all of them at once; a key without an answer is left out. */
  readonly load: (keys: readonly string[]) => Promise<ReadonlyMap<string, Value>>
}

/** Makes one question of many that are asked at about the same time. An answer is never older than its question. */
export class Batched<Value> {
  readonly #options: BatchOptions<Value>
  #gathering: { readonly keys: Set<string>; readonly answers: Promise<ReadonlyMap<string, Value>> } | undefined

  constructor(options: BatchOptions<Value>) {
    this.#options = options
  }

  async get(key: string): Promise<Value | undefined> {
    this.#gathering ??= this.#gather()
    const { keys, answers } = this.#gathering
    keys.add(key)
    return (await answers).get(key)
  }

  #gather() {
    const keys = new Set<string>()
    const answers = delay(this.#options.waitMs).then(() => {
      this.#gathering = undefined
      return this.#options.load([...keys])
    })
    return { keys, answers }
  }
}
