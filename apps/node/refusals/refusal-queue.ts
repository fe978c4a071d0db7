import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { type EdgeRefusal, type RefusalBatch, refusalBatchBounds } from '#libs/domain/edges'
import { writeFileAtomic } from '#libs/processes'
import { type FoldWindow, RefusalFold } from './fold.ts'
import type { FilePlace } from './refusal-file.ts'
import { readRefusalLine } from './refusal-line.ts'

/** What is on disk: one file, replaced as a whole, so that a place in the log and what was made of it never part. */
interface Notes {
  readonly stream: string
  /** Number of the last batch that was made. */
  readonly number: number
  readonly place?: FilePlace
  readonly windows: readonly FoldWindow[]
  readonly waiting: readonly EdgeRefusal[]
  /** Sent, and not answered yet: it is sent again as it is. */
  readonly sending?: RefusalBatch
  /** Refusals by namespace for which there was no room. */
  readonly lost: Readonly<Record<string, number>>
}

/** Refusals that are kept while the discovery server does not take any. */
const maxWaiting = 5_000

interface RefusalQueueOptions {
  /** Refusals that are kept. */
  readonly max?: number
  /** Milliseconds that equal ones are folded for. */
  readonly foldMs?: number | undefined
}

/** What was read of the log of refusals and has not been taken by the discovery server. It outlives the agent. */
export class RefusalQueue {
  readonly #path: string
  readonly #maxWaiting: number
  #notes: Notes
  readonly #fold: RefusalFold
  #changed = false

  private constructor(path: string, notes: Notes, { max = maxWaiting, foldMs }: RefusalQueueOptions) {
    this.#path = path
    this.#maxWaiting = max
    this.#notes = notes
    this.#fold = new RefusalFold(notes.windows, foldMs)
  }

  /** @param path of the notes; damaged ones are begun anew. */
  static async open(path: string, options: RefusalQueueOptions = {}): Promise<RefusalQueue> {
    return new RefusalQueue(path, await readNotes(path), options)
  }

  get place(): FilePlace | undefined {
    return this.#notes.place
  }

  /** Takes what was read, up to a place. */
  take(lines: readonly string[], place: FilePlace | undefined, now: number): void {
    const told: EdgeRefusal[] = []
    for (const line of lines) {
      const refusal = readRefusalLine(line)
      const first = refusal === undefined ? undefined : this.#fold.take(refusal, now)
      if (first !== undefined) told.push(first)
    }
    const { place: before } = this.#notes
    const moved = place !== undefined && (before?.inode !== place.inode || before.offset !== place.offset)
    if (moved) this.#set({ place })
    told.push(...this.#fold.ended(now))
    const room = this.#maxWaiting - this.#notes.waiting.length
    const lost = { ...this.#notes.lost }
    for (const { namespaceId, repeats } of told.slice(room)) lost[namespaceId] = (lost[namespaceId] ?? 0) + repeats
    if (told.length > 0) this.#set({ waiting: [...this.#notes.waiting, ...told.slice(0, room)], lost })
  }

  /** What to send next, the same until {@link sent}; undefined when there is nothing. On disk before it is returned. */
  async next(now: number): Promise<RefusalBatch | undefined> {
    if (this.#notes.sending === undefined) this.#makeBatch(now)
    await this.save()
    return this.#notes.sending
  }

  /** The batch was taken, or nobody will ever take it. */
  async sent(): Promise<void> {
    const { sending: _sent, ...notes } = this.#notes
    this.#notes = notes
    this.#changed = true
    await this.save()
  }

  async save(): Promise<void> {
    if (!this.#changed) return
    this.#changed = false
    try {
      const content = JSON.stringify({ ...this.#notes, windows: this.#fold.windows })
      await writeFileAtomic(this.#path, content, { mode: 0o600 })
    } catch (thrown) {
      this.#changed = true
      throw thrown
    }
  }

  #makeBatch(now: number): void {
    const { stream, number, waiting, lost } = this.#notes
    const gone = Object.entries(lost).map(([namespaceId, repeats]) => lostRefusals(namespaceId, repeats, now))
    const all = [...gone, ...waiting]
    if (all.length === 0) return
    const refusals = all.slice(0, refusalBatchBounds.refusals)
    const left = gone.slice(refusals.length).map(({ namespaceId, repeats }) => [namespaceId, repeats] as const)
    this.#set({
      number: number + 1,
      sending: { stream, number: number + 1, refusals },
      waiting: waiting.slice(Math.max(0, refusals.length - gone.length)),
      lost: Object.fromEntries(left),
    })
  }

  #set(change: Partial<Notes>): void {
    this.#notes = { ...this.#notes, ...change }
    this.#changed = true
  }
}

function lostRefusals(namespaceId: string, repeats: number, at: number): EdgeRefusal {
  return {
    namespaceId,
    at,
    operation: 'several',
    outcome: 'RESOURCE_EXHAUSTED',
    reason: 'refusals that a node of the edge had no room to keep',
    principalId: '',
    keyId: '',
    fingerprint: '',
    sourceAddress: '',
    requestId: '',
    repeats,
    severalCallers: true,
  }
}

async function readNotes(path: string): Promise<Notes> {
  try {
    const notes = JSON.parse(await readFile(path, 'utf8')) as Partial<Notes>
    const lists = [notes.windows, notes.waiting]
    if (typeof notes.stream === 'string' && typeof notes.number === 'number' && lists.every(Array.isArray)) {
      return notes as Notes
    }
  } catch {
    // Absent, or damaged by a power cut.
  }
  return { stream: randomUUID(), number: 0, windows: [], waiting: [], lost: {} }
}
