import { coerceError } from '#libs/base'
import { type Dns, DnsError, type DnsRecord, type OwnedName, sameRecord } from './contract.ts'
import type { RecordChange, RecordSet, RecordSetKey, Route53Api } from './route53-api.ts'
import { fitting } from './route53-batches.ts'

/** One name that is to be changed, and who waits for it. */
interface Wish {
  readonly name: string
  /** Undefined: nothing of ours is to be left. */
  readonly record: DnsRecord | undefined
  /** What was found there; undefined as long as nobody looked: then the name is taken for free. */
  readonly seen: Seen | undefined
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

type Seen =
  | { readonly kind: 'foreign'; readonly what: string }
  | { readonly kind: 'ours'; readonly record: RecordSet | undefined; readonly mark: RecordSet | undefined }

/** Of what a caller may lead elsewhere: a record of another type under our name (MX, TXT) disturbs nobody, or Route 53 refuses ours. */
const addressTypes: readonly string[] = ['A', 'AAAA', 'CNAME']
const pageSize = 300
/** Milliseconds that the first wish waits for others to go with it. */
const gatherMs = 50

/**
 * Route 53. Changes are CREATE, and DELETE of exactly what was seen: Route 53 compares and sets, all of a batch or nothing, so
 * that neither a second provisioner nor a lost answer does harm, and what somebody else made is never overwritten. Beside each
 * record stands its mark, made and deleted in the same batch.
 */
export class Route53Dns implements Dns {
  readonly name = 'route53'
  readonly zone: string
  readonly #api: Route53Api
  readonly #mark: string
  #waiting: Wish[] = []
  #sending = false

  /** @param installation names this installation among all that may write into the zone */
  constructor(api: Route53Api, zone: string, installation: string) {
    this.#api = api
    this.zone = zone
    this.#mark = `"heritage=aqueduct,installation=${installation}"`
  }

  ensure(record: DnsRecord): Promise<void> {
    return this.#submit(record.name, record)
  }

  remove(name: string): Promise<void> {
    return this.#submit(name, undefined)
  }

  async list(): Promise<readonly OwnedName[]> {
    const records = new Map<string, RecordSet>()
    const ours: string[] = []
    let from: RecordSetKey | undefined
    do {
      const page = await this.#api.ListResourceRecordSets({ limit: pageSize, ...(from === undefined ? {} : { from }) })
      for (const set of page.sets) {
        if (addressTypes.includes(set.type)) records.set(set.name, set)
        if (this.#isOurMark(set)) ours.push(set.name.slice(markPrefix.length))
      }
      from = page.next
    } while (from !== undefined)
    return ours.map((name) => {
      const record = recordOf(records.get(name))
      return { name, ...(record === undefined ? {} : { record }) }
    })
  }

  #submit(name: string, record: DnsRecord | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ name, record, seen: undefined, resolve, reject })
      if (this.#sending) return
      this.#sending = true
      setTimeout(() => void this.#sendAll(), gatherMs)
    })
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      // Two wishes for one name go one after the other.
      const names = new Set<string>()
      const taken = this.#waiting.filter((wish) => !names.has(wish.name) && names.add(wish.name))
      this.#waiting = this.#waiting.filter((wish) => !taken.includes(wish))
      let left = await this.#lookAtRemovals(taken)
      while (left.length > 0) {
        const count = fitting(left.map((wish) => this.#changes(wish)))
        await this.#send(left.slice(0, count))
        left = left.slice(count)
      }
    }
    this.#sending = false
  }

  /** What is to be deleted has to be named exactly; most that is to be made is not there, and nobody looks for it first. */
  async #lookAtRemovals(wishes: readonly Wish[]): Promise<readonly Wish[]> {
    const ready: Wish[] = []
    for (const wish of wishes) {
      const looked = wish.record === undefined ? await this.#lookFor(wish) : wish
      if (looked !== undefined) ready.push(looked)
    }
    return ready
  }

  /** The wish with what was seen; undefined when it has its answer. */
  async #lookFor(wish: Wish): Promise<Wish | undefined> {
    try {
      const seen = await this.#look(wish.name)
      if (seen.kind === 'ours') return { ...wish, seen }
      // What is somebody else's is not ours to delete, and ours is not there.
      if (wish.record === undefined) wish.resolve()
      else
        wish.reject(new DnsError('foreign', `the name ${wish.name} is taken: ${seen.what} is not of this installation`))
    } catch (thrown) {
      wish.reject(coerceError(thrown))
    }
    return undefined
  }

  async #look(name: string): Promise<Seen> {
    // What lies below a name follows it: one page nearly always has the mark, too.
    const first = await this.#api.ListResourceRecordSets({ from: { name }, limit: 20 })
    let sets = first.sets
    const markName = markOf(name)
    if (first.next !== undefined && sets.every((set) => set.name !== markName)) {
      sets = [...sets, ...(await this.#api.ListResourceRecordSets({ from: { name: markName }, limit: 5 })).sets]
    }
    const record = sets.find((set) => set.name === name && addressTypes.includes(set.type))
    const mark = sets.find((set) => set.name === markName && set.type === 'TXT')
    if (mark !== undefined && !this.#isOurMark(mark)) return { kind: 'foreign', what: `the mark ${markName}` }
    if (record !== undefined && mark === undefined) return { kind: 'foreign', what: `its ${record.type} record` }
    return { kind: 'ours', record, mark }
  }

  #changes({ name, record, seen }: Wish): readonly RecordChange[] {
    const present = seen?.kind === 'ours' ? seen : { record: undefined, mark: undefined }
    const mark: RecordSet = { name: markOf(name), type: 'TXT', ttl: markTtl, values: [this.#mark] }
    const asItIs = recordOf(present.record)
    const keep = record !== undefined && asItIs !== undefined && sameRecord(asItIs, record)
    return [
      ...(present.record === undefined || keep ? [] : [{ action: 'DELETE', set: present.record } as const]),
      ...(present.mark === undefined || record !== undefined ? [] : [{ action: 'DELETE', set: present.mark } as const]),
      ...(record === undefined || keep ? [] : [{ action: 'CREATE', set: record } as const]),
      ...(record === undefined || present.mark !== undefined ? [] : [{ action: 'CREATE', set: mark } as const]),
    ]
  }

  /** One name that Route 53 refuses must not stop the others: a batch that it refuses goes again in halves. */
  async #send(wishes: readonly Wish[]): Promise<void> {
    const changes = wishes.flatMap((wish) => this.#changes(wish))
    const [first, ...others] = wishes
    if (first === undefined) return
    try {
      if (changes.length > 0) await this.#api.ChangeResourceRecordSets(changes)
    } catch (thrown) {
      const error = coerceError(thrown)
      const isRefused = error instanceof DnsError && (error.kind === 'changed' || error.kind === 'invalid')
      if (isRefused && others.length > 0) {
        const half = Math.ceil(wishes.length / 2)
        await this.#send(wishes.slice(0, half))
        return this.#send(wishes.slice(half))
      }
      if (isRefused && error.kind === 'changed' && first.seen === undefined) {
        const looked = await this.#lookFor(first)
        return looked === undefined ? undefined : this.#send([looked])
      }
      for (const { reject } of wishes) reject(error)
      return
    }
    for (const { resolve } of wishes) resolve()
  }

  #isOurMark(set: RecordSet): boolean {
    return set.type === 'TXT' && set.name.startsWith(markPrefix) && set.values.includes(this.#mark)
  }
}

/** Not the name itself: beside a CNAME nothing else may stand. */
const markPrefix = '_aqueduct.'
const markTtl = 300

function markOf(name: string): string {
  return `${markPrefix}${name}`
}

/** Undefined for what we never make: an alias, an IPv6 address. */
function recordOf(set: RecordSet | undefined): DnsRecord | undefined {
  if (set === undefined || set.values.length === 0) return undefined
  const { name, type, ttl } = set
  if (type === 'A') return { name, type, ttl, values: set.values }
  return type === 'CNAME' ? { name, type, ttl, values: set.values.map((value) => value.replace(/\.$/, '')) } : undefined
}
