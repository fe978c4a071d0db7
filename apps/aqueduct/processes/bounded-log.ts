import { appendFileSync, renameSync, statSync } from 'node:fs'

const maxBytes = 16 * 1024 * 1024

/** A log file of at most 16 MB, with the part before it beside it (`api.log.1`). */
export class BoundedLog {
  readonly path: string
  #size: number

  constructor(path: string) {
    this.path = path
    this.#size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  }

  /** Written at once, so that the last words of a crash are not lost with a buffer. */
  write(chunk: Uint8Array): void {
    if (this.#size + chunk.length > maxBytes && this.#size > 0) {
      renameSync(this.path, `${this.path}.1`)
      this.#size = 0
    }
    appendFileSync(this.path, chunk, { mode: 0o600 })
    this.#size += chunk.length
  }
}
