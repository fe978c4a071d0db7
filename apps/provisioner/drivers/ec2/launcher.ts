import { createHash } from 'node:crypto'
import type { Clock } from '#libs/base'
import { DriverError, type NodeLaunch } from '../contract.ts'
import type { Ec2Calls, Machine, MachineRequest } from './ec2-calls.ts'
import type { Ec2Options } from './ec2-options.ts'
import { Ec2Error } from './error-kinds.ts'
import type { JournalEntry, LaunchEntry, LaunchJournal } from './launch-journal.ts'
import { launchSecurityGroups } from './launch-security-groups.ts'
import { placementsOf } from './placements.ts'
import { nodeTags } from './tags.ts'

export interface LauncherDeps {
  readonly calls: Pick<Ec2Calls, 'runInstances' | 'terminateInstances' | 'getParameter'>
  readonly journal: LaunchJournal
  readonly options: Ec2Options
  readonly clock: Clock
  /** The node's machine, asked of EC2 after the call; what is there besides it is ended. */
  readonly look: (nodeId: string, entry: JournalEntry | undefined) => Promise<Machine | undefined>
  /** Called when this process has changed something about a node's machine. */
  readonly changed: (nodeId: string) => void
}

/** The machine; or the entry of one that EC2 has named, and does not show: not yet, or not any more. */
export type Launched = { readonly machine: Machine } | { readonly named: LaunchEntry }

/**
 * Milliseconds from a request whose outcome is not known to when EC2 shows what came of it: the request's own time, and
 * EC2's until every answer has the machine, twice over.
 */
const doubtMs = 60_000
/** Milliseconds for which a machine that EC2 has named, and does not show, is believed to be there. */
const unseenMs = 5 * 60_000
/** Looks at the journal in one call: somebody else writes in it only while they launch the same node. */
const maxLooks = 5

/**
 * Makes one machine of one node, whatever answers are lost, and whoever else does the same: decision 0022. Each request is
 * written into the journal before it is sent, and the next way to launch is not tried before the outcome of this one is known.
 */
export class Launcher {
  readonly #deps: LauncherDeps

  constructor(deps: LauncherDeps) {
    this.#deps = deps
  }

  async launch(launch: NodeLaunch): Promise<Launched> {
    const { journal, clock, look } = this.#deps
    const { nodeId } = launch
    for (let looks = 0; looks < maxLooks; looks += 1) {
      // Before EC2 is asked: a doubt that is over by now is about something that EC2 shows.
      const now = clock.now()
      const entry = (await journal.read([nodeId])).get(nodeId)
      if (entry?.ended === true) throw new DriverError('denied', `${nodeId} was deleted: it has had its machine`)
      const machine = await look(nodeId, entry)
      if (machine !== undefined) return this.#adopt(launch, entry, machine)
      if (entry?.machineId !== undefined) return { named: entry }
      const made = await this.#request(launch, entry, now)
      if (made !== undefined) return made
    }
    if ((await journal.read([nodeId])).has(nodeId)) throw new DriverError('not_ready', `others are launching ${nodeId}`)
    throw new DriverError('denied', `no row owns ${nodeId}: nothing is launched for it`)
  }

  /** @returns undefined when somebody else wrote into the journal meanwhile: look again. */
  async #request(launch: NodeLaunch, entry: JournalEntry | undefined, now: Date): Promise<Launched | undefined> {
    const { journal, clock, calls } = this.#deps
    const { nodeId } = launch
    const tried: string[] = []
    let revision = entry?.revision ?? 0
    let plan: LaunchEntry = entry ?? (await this.#firstEntry(launch))
    for (;;) {
      const request = this.#requestOf(launch, plan)
      const isDoubted = plan.doubtUntil !== undefined && new Date(plan.doubtUntil) > now
      const doubtUntil = new Date(clock.now().getTime() + doubtMs).toISOString()
      if (!(await journal.write(nodeId, revision, { ...plan, doubtUntil }))) return undefined
      revision += 1
      const sent = await calls.runInstances(request).catch(definiteFailure)
      this.#deps.changed(nodeId)
      if (!(sent instanceof Ec2Error)) return this.#keep(nodeId, revision, plan, sent)
      tried.push(sent.message)
      // This request did nothing. If an earlier one may have done something, the way stays as it is until that is known.
      if (sent.reason === 'token-has-ended') return this.#mourn(nodeId, revision, plan)
      const next = isDoubted ? undefined : nextOf(plan, sent)
      if (!(await journal.write(nodeId, revision, next ?? withoutDoubt(plan, isDoubted)))) return undefined
      revision += 1
      if (next === undefined) throw sent
      if (next.attempt === 0 && sent.reason === 'no-room') {
        throw new DriverError('no_capacity', `nowhere is room for ${nodeId}: ${tried.join('; ')}`, { cause: sent })
      }
      plan = next
    }
  }

  async #firstEntry({ nodeId, cellId, ...launch }: NodeLaunch): Promise<LaunchEntry> {
    const { options, calls } = this.#deps
    const placements = placementsOf(options, { nodeId, cellId, ...launch })
    if (placements.length === 0) {
      throw new DriverError(
        'denied',
        `no instance type for the role ${launch.role}: see nodeTemplate.instanceTypes of the region`,
      )
    }
    const { image = '' } = launch.template
    const imageId = image.startsWith('ssm:') ? await calls.getParameter({ name: image.slice('ssm:'.length) }) : image
    if (!/^ami-[0-9a-f]+$/.test(imageId)) {
      throw new DriverError(
        'denied',
        `${JSON.stringify(imageId)} is no image: nodeTemplate.image of the region must be ami-… or ssm:<name of a parameter with one>`,
      )
    }
    return { cellId, imageId, placements, attempt: 0, round: 0 }
  }

  #requestOf(launch: NodeLaunch, { imageId, round, placements, attempt }: LaunchEntry): MachineRequest {
    const { options } = this.#deps
    const { installation, instanceProfile, rootDevice, volumeGiB, kmsKeyId } = options
    const placement = placements[attempt]
    if (placement === undefined) throw new Error(`the launch of ${launch.nodeId} has no way ${attempt}`)
    const { instanceType, subnetId } = placement
    return {
      clientToken: clientToken([installation, launch.nodeId, instanceType, subnetId, String(round)]),
      imageId,
      instanceType,
      subnetId,
      securityGroups: launchSecurityGroups(options, launch.role),
      instanceProfile,
      rootDevice,
      volumeGiB,
      ...(kmsKeyId === undefined ? {} : { kmsKeyId }),
      userData: launch.userData,
      tags: nodeTags(installation, launch),
    }
  }

  /** Writes down which machine came of the request. If that is not the node's any more, it goes at once. */
  async #keep(nodeId: string, revision: number, plan: LaunchEntry, machine: Machine): Promise<Launched | undefined> {
    const { journal, clock } = this.#deps
    const { doubtUntil: _known, ...rest } = plan
    const kept: LaunchEntry = { ...rest, machineId: machine.id, launchedAt: clock.now().toISOString() }
    let expected = revision
    for (let looks = 0; looks < maxLooks; looks += 1) {
      if (await journal.write(nodeId, expected, kept)) return { machine }
      const entry = (await journal.read([nodeId])).get(nodeId)
      if (entry?.machineId === machine.id && !entry.ended) return { machine }
      const isSameRequest = entry?.attempt === plan.attempt && entry.round === plan.round
      if (entry === undefined || entry.ended || entry.machineId !== undefined || !isSameRequest) break
      expected = entry.revision
    }
    await this.#deps.calls.terminateInstances({ ids: [machine.id] })
    this.#deps.changed(nodeId)
    return undefined
  }

  /** The node has had its machine, nobody was told which, and it has ended since: it gets no other one. */
  async #mourn(nodeId: string, revision: number, plan: LaunchEntry): Promise<Launched | undefined> {
    const { doubtUntil: _known, ...rest } = plan
    const named: LaunchEntry = { ...rest, machineId: nodeId, launchedAt: new Date(0).toISOString() }
    return (await this.#deps.journal.write(nodeId, revision, named)) ? { named } : undefined
  }

  /** EC2 shows a machine of the node: if the journal does not have it, the answer was lost. */
  async #adopt(launch: NodeLaunch, entry: JournalEntry | undefined, machine: Machine): Promise<Launched> {
    if (entry !== undefined && entry.machineId === undefined) {
      const { revision, ended: _ended, doubtUntil: _known, ...rest } = entry
      const kept = { ...rest, machineId: machine.id, launchedAt: machine.launchedAt.toISOString() }
      // Not written: somebody else writes the same, or looks again.
      await this.#deps.journal.write(launch.nodeId, revision, kept)
    }
    return { machine }
  }
}

/** What was surely without effect. @throws anything else: nobody knows whether there is a machine, and the doubt stays written. */
function definiteFailure(thrown: unknown): Ec2Error {
  if (thrown instanceof Ec2Error && thrown.hadNoEffect) return thrown
  throw thrown
}

/** Whether EC2 has named the machine so lately that it need not show it yet. */
export function isUnseen(entry: LaunchEntry, now: Date): boolean {
  return entry.launchedAt !== undefined && now.getTime() - new Date(entry.launchedAt).getTime() < unseenMs
}

/** The way to launch after this one failed for good; undefined when another would fail, too. */
function nextOf(plan: LaunchEntry, { reason }: Ec2Error): LaunchEntry | undefined {
  const { doubtUntil: _none, ...rest } = plan
  if (reason === 'token-used-otherwise') return { ...rest, round: plan.round + 1 }
  if (reason !== 'no-room') return undefined
  const attempt = plan.attempt + 1
  return attempt < plan.placements.length ? { ...rest, attempt } : { ...rest, attempt: 0, round: plan.round + 1 }
}

function withoutDoubt({ doubtUntil, ...rest }: LaunchEntry, isDoubted: boolean): LaunchEntry {
  return isDoubted && doubtUntil !== undefined ? { ...rest, doubtUntil } : rest
}

/** The same for the same request, another for any other: 64 characters, which is all that EC2 takes. */
function clientToken(parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}
