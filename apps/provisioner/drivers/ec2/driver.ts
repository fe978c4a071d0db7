import type { Clock } from '#libs/base'
import type { NodeManifest } from '#libs/domain/nodes'
import type { Logger } from '#libs/telemetry'
import {
  DriverError,
  type DriverResource,
  type MachineJoin,
  type MachineNotice,
  type NodeDriver,
  type NodeExposure,
  type NodeInstance,
  type NodeLaunch,
} from '../contract.ts'
import { Addresses } from './addresses.ts'
import { Batched } from './batched.ts'
import type { Ec2Calls, Machine } from './ec2-calls.ts'
import type { Ec2Options } from './ec2-options.ts'
import { Ec2Error } from './error-kinds.ts'
import type { JournalEntry, LaunchEntry, LaunchJournal } from './launch-journal.ts'
import { isUnseen, Launcher } from './launcher.ts'
import { type Health, MachineHealth } from './machine-health.ts'
import { MachineReader } from './machine-reader.ts'
import { isOver, machinesOfNode } from './machines-of-node.ts'
import type { NodeMailbox, NodeReport } from './mailbox.ts'
import { silentMs, verdictOf } from './node-state.ts'
import { tagNames } from './tags.ts'
import { Volumes } from './volumes.ts'

export interface Ec2DriverDeps {
  readonly options: Ec2Options
  readonly calls: Ec2Calls
  readonly mailbox: NodeMailbox
  readonly journal: LaunchJournal
  readonly clock: Clock
  readonly logger: Logger
}

/** Milliseconds that a question to the mailbox waits for others. */
const waitMs = 5
/** Nodes that are asked about at once. */
const mailsAtOnce = 1_000

/** Nodes on EC2 instances, of one region. Its machines come up by themselves; the mailbox is the way to them and back. */
export class Ec2Driver implements NodeDriver {
  readonly name = 'ec2'
  readonly join: MachineJoin
  readonly #deps: Ec2DriverDeps
  readonly #reader: MachineReader
  readonly #reports: Batched<NodeReport>
  readonly #health: MachineHealth
  readonly #launcher: Launcher
  readonly #addresses: Addresses
  readonly #volumes: Volumes
  #lastHeard: Date | undefined

  constructor(deps: Ec2DriverDeps) {
    this.#deps = deps
    const { calls, clock, logger, journal, options } = deps
    const { installation, joinUrls, discoveryUrl } = options
    this.join = { joinUrls, discoveryUrl }
    this.#reader = new MachineReader({ calls, clock, installation })
    this.#reports = new Batched({ waitMs, load: (nodeIds) => this.#readMail(nodeIds) })
    this.#health = new MachineHealth({ calls, clock, logger })
    this.#addresses = new Addresses({ calls, clock, installation })
    this.#volumes = new Volumes({ calls, installation })
    this.#launcher = new Launcher({
      calls,
      journal,
      options,
      clock,
      look: async (nodeId, entry) => this.#oneMachine(nodeId, await this.#reader.fresh(nodeId), entry),
      changed: (nodeId) => this.#reader.changed(nodeId),
    })
  }

  async launch(launch: NodeLaunch): Promise<NodeInstance> {
    const launched = await this.#launcher.launch(launch)
    if ('named' in launched) return notShown(launch.nodeId, launched.named, this.#deps.clock.now())
    return this.#instance(launch.nodeId, launched.machine)
  }

  async configure(manifest: NodeManifest): Promise<void> {
    const { nodeId, address } = manifest
    const seen = await this.get(nodeId)
    if (seen.address === undefined) throw new DriverError('not_ready', `${nodeId} has no address yet`)
    if (seen.address !== address) {
      throw new DriverError('denied', `the address of ${nodeId} is ${seen.address}, not ${address}`)
    }
    await this.#deps.mailbox.put(manifest)
  }

  async get(nodeId: string): Promise<NodeInstance> {
    const machines = await this.#reader.get(nodeId)
    const [only] = machines
    const report = await this.#reports.get(nodeId)
    // The usual one, which has joined: nothing has to be looked up. Before that, a tag alone makes no machine the node's.
    if (machines.length === 1 && only !== undefined && !isOver(only) && report !== undefined) {
      return this.#instanceOf(nodeId, only, report, (await this.#health.read()).get(only.id))
    }
    const entry = (await this.#deps.journal.read([nodeId])).get(nodeId)
    const machine = await this.#oneMachine(nodeId, machines, entry)
    const isThere = machine !== undefined && machine.state !== 'terminated'
    if (isThere) {
      const ends = entry?.ended === true || (entry === undefined && machine.state === 'shutting-down')
      const instance = await this.#instance(nodeId, machine)
      return ends ? { ...instance, state: 'ending', detail: `${machine.id} is ${machine.state}` } : instance
    }
    if (entry !== undefined && !entry.ended) {
      if (machine !== undefined) return this.#instance(nodeId, machine)
      if (entry.machineId !== undefined) {
        this.#refuseDoubtfulAbsence(nodeId, entry, report)
        return notShown(nodeId, entry, this.#deps.clock.now())
      }
    }
    // Deleted while nobody knew whether there was a machine: one may still come to light.
    if (entry?.ended === true && machine === undefined && this.#mayAppear(entry)) {
      const instance = notShown(nodeId, entry, this.#deps.clock.now())
      return { ...instance, state: 'ending', detail: 'EC2 may still show what was asked for' }
    }
    if (entry?.ended === true) await this.#deps.mailbox.forget(nodeId)
    throw new DriverError('not_found', `there is no machine of ${nodeId}`)
  }

  async list(): Promise<readonly NodeInstance[]> {
    const byNode = await this.#reader.all()
    const reports = await this.#readMail([...byNode.keys()])
    const health = await this.#health.read()
    const instances: NodeInstance[] = []
    for (const [nodeId, machines] of byNode) {
      const present = machines.filter(({ state }) => state !== 'terminated')
      const entry = present.length > 1 ? (await this.#deps.journal.read([nodeId])).get(nodeId) : undefined
      const machine = await this.#oneMachine(nodeId, present, entry)
      for (const seen of present) {
        const instance = this.#instanceOf(nodeId, seen, reports.get(nodeId), health.get(seen.id))
        const ends = seen !== machine || seen.state === 'shutting-down'
        instances.push(ends ? { ...instance, state: 'ending' } : instance)
      }
    }
    return instances
  }

  async delete(nodeId: string): Promise<void> {
    const { journal, mailbox, clock } = this.#deps
    // First of all: a launch that is under way somewhere finds that its machine is not wanted any more.
    await journal.end(nodeId)
    const machines = await this.#reader.fresh(nodeId)
    const entry = (await journal.read([nodeId])).get(nodeId)
    const ids = machines.filter((machine) => !isOver(machine)).map(({ id }) => id)
    const { machineId } = entry ?? {}
    if (entry !== undefined && machineId !== undefined && isUnseen(entry, clock.now())) {
      if (machines.every(({ id }) => id !== machineId)) ids.push(machineId)
    }
    for (const id of ids) await this.#terminate(nodeId, id)
    const isGone = machines.every(({ state }) => state === 'terminated')
    if (ids.length === 0 && isGone && !(entry !== undefined && this.#mayAppear(entry))) await mailbox.forget(nodeId)
  }

  async expose(node: NodeExposure): Promise<string> {
    const { nodeId } = node
    const entry = (await this.#deps.journal.read([nodeId])).get(nodeId)
    const machine = await this.#oneMachine(nodeId, await this.#reader.get(nodeId), entry)
    if (machine === undefined || isOver(machine)) throw new DriverError('not_found', `there is no machine of ${nodeId}`)
    return this.#addresses.lead(node, machine.id)
  }

  async releaseAddresses(cellId: string, kept: readonly string[]): Promise<void> {
    await this.#addresses.releaseAllBut(cellId, kept)
  }

  async listResources(): Promise<readonly DriverResource[]> {
    const [addresses, volumes] = await Promise.all([this.#addresses.list(), this.#volumes.list()])
    return [...addresses, ...volumes]
  }

  async deleteResource({ kind, id, owner }: DriverResource): Promise<void> {
    switch (kind) {
      case 'address':
        return this.#addresses.delete(id)
      case 'volume':
        return this.#volumes.delete(id)
      case 'machine': {
        // By what EC2 shows of this installation's: an id alone could be anybody's.
        const machines = await this.#reader.fresh(owner)
        if (machines.some((machine) => machine.id === id && !isOver(machine))) await this.#terminate(owner, id)
      }
    }
  }

  /**
   * EC2 goes on to show a machine that has ended. One that is not among its answer and speaks all the same is there: the
   * answer is cut off, or another account's, and to believe it would be to replace a whole region.
   */
  #refuseDoubtfulAbsence(nodeId: string, entry: LaunchEntry, report: NodeReport | undefined): void {
    const now = this.#deps.clock.now()
    if (report === undefined || isUnseen(entry, now) || now.getTime() - report.at.getTime() >= silentMs) return
    throw new DriverError('unknown', `EC2 does not show ${entry.machineId} of ${nodeId}, which speaks all the same`)
  }

  /** The node's machine. What else carries its tag is ended: a node has one. */
  async #oneMachine(
    nodeId: string,
    machines: readonly Machine[],
    entry: JournalEntry | undefined,
  ): Promise<Machine | undefined> {
    const { machine, twins } = machinesOfNode(machines, entry)
    for (const twin of twins) {
      this.#deps.logger.warn(
        { node: nodeId, machine: twin.id, kept: machine?.id },
        'a second machine of a node is ended',
      )
      await this.#terminate(nodeId, twin.id)
    }
    return machine
  }

  async #terminate(nodeId: string, id: string): Promise<void> {
    try {
      await this.#deps.calls.terminateInstances({ ids: [id] })
    } catch (thrown) {
      if (!(thrown instanceof Ec2Error && thrown.kind === 'not_found')) throw thrown
    }
    this.#reader.changed(nodeId)
  }

  #mayAppear(entry: JournalEntry): boolean {
    const now = this.#deps.clock.now()
    const isDoubted = entry.doubtUntil !== undefined && new Date(entry.doubtUntil) > now
    return isDoubted || (entry.machineId !== undefined && isUnseen(entry, now))
  }

  async #instance(nodeId: string, machine: Machine): Promise<NodeInstance> {
    const [report, health] = await Promise.all([this.#reports.get(nodeId), this.#health.read()])
    return this.#instanceOf(nodeId, machine, report, health.get(machine.id))
  }

  #instanceOf(
    nodeId: string,
    machine: Machine,
    report: NodeReport | undefined,
    health: Health | undefined,
  ): NodeInstance {
    const { id, address, publicAddress, zone, instanceType, launchedAt, tags } = machine
    const now = this.#deps.clock.now()
    const notice = earlier(health?.notice, report?.notice)
    return {
      nodeId,
      cellId: tags[tagNames.cell] ?? '',
      machineId: id,
      ...verdictOf({ machine, report, health, lastHeard: this.#lastHeard, now }),
      createdAt: launchedAt,
      ...(address === undefined ? {} : { address }),
      ...(publicAddress === undefined ? {} : { publicAddress }),
      ...(zone === undefined ? {} : { zone }),
      ...(instanceType === undefined ? {} : { instanceType }),
      ...(notice === undefined ? {} : { notice }),
    }
  }

  async #readMail(nodeIds: readonly string[]): Promise<ReadonlyMap<string, NodeReport>> {
    const found = new Map<string, NodeReport>()
    for (let from = 0; from < nodeIds.length; from += mailsAtOnce) {
      const part = await this.#deps.mailbox.read(nodeIds.slice(from, from + mailsAtOnce))
      for (const [nodeId, report] of part) {
        found.set(nodeId, report)
        if (this.#lastHeard === undefined || report.at > this.#lastHeard) this.#lastHeard = report.at
      }
    }
    return found
  }
}

/** EC2 has named its machine, and does not show it: not yet, or not any more. */
function notShown(nodeId: string, entry: LaunchEntry, now: Date): NodeInstance {
  const { cellId, machineId = nodeId, launchedAt = new Date(0) } = entry
  const isUnseenYet = isUnseen(entry, now)
  return {
    nodeId,
    cellId,
    machineId,
    generation: -1,
    state: isUnseenYet ? 'starting' : 'failed',
    detail: isUnseenYet ? `EC2 does not show ${machineId} yet` : `${machineId} is gone`,
    createdAt: new Date(launchedAt),
  }
}

function earlier(one: MachineNotice | undefined, other: MachineNotice | undefined): MachineNotice | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return one.at <= other.at ? one : other
}
