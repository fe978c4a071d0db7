/** Who wants to hear of changes of what an id names. */
export class Listeners {
  readonly #listeners = new Set<(id: string) => void>()

  /** Returns how to unsubscribe. */
  readonly add = (listener: (id: string) => void): (() => void) => {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  readonly tell = (id: string): void => {
    for (const listener of this.#listeners) listener(id)
  }
}
