import type { Clock } from '#libs/base'
import { Batched } from './batched.ts'
import type { Ec2Calls, Machine, Page } from './ec2-calls.ts'
import { oursOnly, tagNames } from './tags.ts'

export interface MachineReaderDeps {
  readonly calls: Pick<Ec2Calls, 'describeInstances'>
  readonly clock: Clock
  readonly installation: string
}

/** Machines by the node that they were made for: more than one while a second one is still there. */
export type MachinesByNode = ReadonlyMap<string, readonly Machine[]>

/** Milliseconds that a question waits for others to go with it. */
const waitMs = 10
/** What EC2 takes as values of one filter. */
const filterValues = 200
/** Milliseconds for which a look at all machines answers for each: EC2 itself is not fresher than that. */
export const freshMs = 2_000
/** Looks at single nodes within `freshMs` after which a look at all is cheaper: a pass over the fleet is under way. */
const looksBeforeAll = 2

/**
 * Reads machines with few calls: questions of the same moment become one, and when they keep coming, one look at
 * everything (1,000 machines a call) answers them all for a short while.
 */
export class MachineReader {
  readonly #deps: MachineReaderDeps
  readonly #single: Batched<readonly Machine[]>
  #snapshot: { readonly at: number; readonly machines: Promise<MachinesByNode> } | undefined
  /** When this process changed a node's machine: what was seen before that says nothing of it. */
  readonly #changes = new Map<string, number>()
  #looks: number[] = []
  /** A look at all that is under way, and the one that comes after it. */
  #running: { readonly at: number; readonly machines: Promise<MachinesByNode> } | undefined
  #following: Promise<MachinesByNode> | undefined

  constructor(deps: MachineReaderDeps) {
    this.#deps = deps
    this.#single = new Batched({ waitMs, load: (nodeIds) => this.#look(nodeIds) })
  }

  /** At most `freshMs` old, and never older than what this process did to the node. */
  async get(nodeId: string): Promise<readonly Machine[]> {
    for (const seen of [this.#snapshot, this.#running]) {
      if (seen === undefined || this.#now() - seen.at >= freshMs) continue
      if ((this.#changes.get(nodeId) ?? -1) >= seen.at) continue
      const machines = (await seen.machines).get(nodeId)
      // That it has none is never taken from there: another process may have launched it since.
      if (machines !== undefined) return machines
    }
    return this.fresh(nodeId)
  }

  /** Asked of EC2 after this call. */
  async fresh(nodeId: string): Promise<readonly Machine[]> {
    return (await this.#single.get(nodeId)) ?? []
  }

  /** Every machine of this installation that EC2 still shows, ended ones too. Asked of EC2 after this call. */
  async all(): Promise<MachinesByNode> {
    if (this.#running === undefined) return this.#lookAtAll()
    // What is under way has begun before this question; the next one is for all who ask meanwhile.
    this.#following ??= this.#running.machines
      .catch(() => undefined)
      .then(() => {
        this.#following = undefined
        return this.#lookAtAll()
      })
    return this.#following
  }

  /** To be called after each change of a node's machine. */
  changed(nodeId: string): void {
    this.#changes.set(nodeId, this.#now())
  }

  async #look(nodeIds: readonly string[]): Promise<MachinesByNode> {
    const now = this.#now()
    this.#looks = this.#looks.filter((at) => at > now - freshMs)
    if (nodeIds.length > filterValues || this.#looks.length >= looksBeforeAll) return this.all()
    this.#looks.push(now)
    const filter = oursOnly(this.#deps.installation, { node: nodeIds })
    return byNode(await everyPage((page) => this.#deps.calls.describeInstances({ ...filter, ...page })))
  }

  async #lookAtAll(): Promise<MachinesByNode> {
    const at = this.#now()
    const { calls, installation } = this.#deps
    const machines = everyPage((page) => calls.describeInstances({ ...oursOnly(installation), ...page })).then(byNode)
    const running = { at, machines }
    this.#running = running
    try {
      await machines
      this.#snapshot = running
      for (const [nodeId, changed] of this.#changes) if (changed < at - freshMs) this.#changes.delete(nodeId)
      return await machines
    } finally {
      // The one that follows may have begun already.
      if (this.#running === running) this.#running = undefined
    }
  }

  #now(): number {
    return this.#deps.clock.now().getTime()
  }
}

/** Every item of every page. */
export async function everyPage<Item>(
  ask: (page: { readonly next?: string }) => Promise<Page<Item>>,
): Promise<readonly Item[]> {
  const items: Item[] = []
  let page: { readonly next?: string } = {}
  do {
    const answer: Page<Item> = await ask(page)
    items.push(...answer.items)
    page = answer.next === undefined ? {} : { next: answer.next }
  } while (page.next !== undefined)
  return items
}

function byNode(machines: readonly Machine[]): MachinesByNode {
  const found = new Map<string, Machine[]>()
  for (const machine of machines) {
    const nodeId = machine.tags[tagNames.node]
    // Somebody's own, with our tag: not a node.
    if (nodeId === undefined) continue
    const those = found.get(nodeId)
    if (those === undefined) found.set(nodeId, [machine])
    else those.push(machine)
  }
  return found
}
