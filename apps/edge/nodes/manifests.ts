import type { ManifestText, NodeDesk } from './node-desk.ts'

/** Nodes' manifests, and who waits for another one. */
export class Manifests {
  readonly #read: NodeDesk['readManifest']
  readonly #waiters = new Map<string, Set<() => void>>()

  constructor(read: NodeDesk['readManifest']) {
    this.#read = read
  }

  current(nodeId: string): Promise<ManifestText | undefined> {
    return this.#read(nodeId)
  }

  /** Something about the node's manifest changed; `*`: about any. */
  changed(nodeId: string): void {
    const told = nodeId === '*' ? [...this.#waiters.values()] : [this.#waiters.get(nodeId) ?? []]
    for (const waiters of told) for (const waiter of waiters) waiter()
  }

  /**
   * Resolves with what there is when it is not of the generation `known` any more, when the time is over, or when `signal`
   * aborts.
   */
  async next(nodeId: string, known: string, waitMs: number, signal: AbortSignal): Promise<ManifestText | undefined> {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(waitMs)])
    for (;;) {
      // Listens before it looks: a change in between is not missed.
      const change = this.#change(nodeId, deadline)
      const found = await this.current(nodeId).catch((thrown: unknown) => {
        change.cancel()
        throw thrown
      })
      if (deadline.aborted || (found !== undefined && String(found.generation) !== known)) {
        change.cancel()
        return found
      }
      await change.happened
    }
  }

  #change(nodeId: string, signal: AbortSignal): { readonly happened: Promise<void>; readonly cancel: () => void } {
    const { promise, resolve } = Promise.withResolvers<void>()
    const waiters = this.#waiters.get(nodeId) ?? new Set()
    this.#waiters.set(nodeId, waiters)
    const cancel = () => {
      waiters.delete(cancel)
      if (waiters.size === 0 && this.#waiters.get(nodeId) === waiters) this.#waiters.delete(nodeId)
      signal.removeEventListener('abort', cancel)
      resolve()
    }
    waiters.add(cancel)
    signal.addEventListener('abort', cancel)
    if (signal.aborted) cancel()
    return { happened: promise, cancel }
  }
}
