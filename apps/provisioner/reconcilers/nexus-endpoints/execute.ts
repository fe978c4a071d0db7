import { type Authorized, systemActor } from '#libs/authz'
import { assertNever, type Clock } from '#libs/base'
import { nexusEndpointUrl } from '#libs/domain/edges'
import type { NexusEndpointStep } from '#libs/domain/nexus-endpoints'
import type { Database } from '#libs/store'
import {
  findNexusNames,
  type NexusEndpointFence,
  type NexusEndpointRecord,
  type NexusEndpointRow,
  recordNexusEndpoint,
} from '#libs/store/nexus-endpoints'
import { type CellClient, CellError } from '../../temporal/cell-client.ts'
import { again, type Next, settled } from '../next.ts'
import type { Outward } from '../outward.ts'
import type { CellRecord } from './observed.ts'
import type { RouterAccess } from './router-access.ts'
import { wakeDoubted } from './wake-doubted.ts'

const system = systemActor('nexus-endpoint-steps')

export interface NexusStepDeps {
  readonly database: Database
  readonly clock: Clock
  readonly outward: Outward
  readonly router: RouterAccess
  /** The cell's own API, as its administrator. */
  readonly cellClient: (cellId: string) => Promise<CellClient>
}

/** What a step is done to, and the fence that its records carry. */
export interface NexusStepTarget {
  readonly row: NexusEndpointRow
  /** Where it is, or goes to. */
  readonly cellId: string
  readonly proof: Authorized<'nexus_endpoint', 'update'>
  readonly fence: NexusEndpointFence
}

/** How long to wait before looking again, in milliseconds, when the routers did not follow within the step's own patience. */
const routersLagMs = 250

/** Executes one step: says `unknown` before the outward call, and what was seen after it. */
export async function executeStep(
  deps: NexusStepDeps,
  target: NexusStepTarget,
  step: NexusEndpointStep,
): Promise<Next> {
  switch (step.kind) {
    case 'serve':
      return serve(deps, target, step.generation)
    case 'withdraw':
      return withdraw(deps, target)
    case 'register':
      return register(deps, target, step.name)
    case 'unregister':
      return unregister(deps, target, step.name)
    case 'wait-cell-cache':
      await note(deps, target, { waitingFor: 'every host of the cell learns the name' })
      return again(step.ms)
    case 'done':
      return settled
    default:
      return assertNever(step)
  }
}

async function serve(deps: NexusStepDeps, target: NexusStepTarget, generation: number): Promise<Next> {
  const { row, cellId } = target
  // The edge is told by the commit of this record.
  await note(deps, target, {
    served: true,
    edgeObserved: { kind: 'unknown' },
    waitingFor: 'the Nexus router takes the new routes',
  })
  const answer = await deps.outward('nexus-serve', () => deps.router.awaitServing(cellId, row.id, generation))
  if (answer.kind === 'not_yet') {
    await note(deps, target, { waitingFor: `the Nexus router does not serve it yet: ${answer.detail}` })
    return again(routersLagMs)
  }
  await note(deps, target, { edgeObserved: { kind: 'serving', generation: answer.generation } })
  return settled
}

async function withdraw(deps: NexusStepDeps, target: NexusStepTarget): Promise<Next> {
  const { row, cellId } = target
  await note(deps, target, {
    served: false,
    edgeObserved: { kind: 'unknown' },
    waitingFor: 'the Nexus router lets go of it',
  })
  const answer = await deps.outward('nexus-withdraw', () => deps.router.awaitAbsence(cellId, row.id))
  if (answer.kind === 'not_yet') {
    await note(deps, target, { waitingFor: `the Nexus router still has it: ${answer.detail}` })
    return again(routersLagMs)
  }
  await note(deps, target, { edgeObserved: null })
  return settled
}

async function register(deps: NexusStepDeps, target: NexusStepTarget, name: string): Promise<Next> {
  const client = await deps.cellClient(target.cellId)
  const url = nexusEndpointUrl(name)
  await noteCell(deps, target, { kind: 'unknown' })
  try {
    await deps.outward('nexus-register', () => client.registerNexusEndpoint({ name, url }))
  } catch (thrown) {
    if (!(thrown instanceof CellError) || thrown.kind !== 'exists') throw thrown
    // Another tenant's endpoint has the name too, or an earlier pass did not live to say that it made it.
    const found = (await client.listNexusEndpoints()).find((endpoint) => endpoint.name === name)
    if (found !== undefined && found.url !== url) {
      throw new Error(`the cell has a Nexus endpoint ${name} that is not ours`)
    }
  }
  await noteCell(deps, target, { kind: 'present', name, madeAt: deps.clock.now().toISOString() })
  return settled
}

/**
 * A name goes with the last endpoint that has it. Another one may come while it goes: that one is doubted, and looks
 * again; should we not live to say so, the collector finds it missing.
 */
async function unregister(deps: NexusStepDeps, target: NexusStepTarget, name: string): Promise<Next> {
  const { row, cellId } = target
  const client = await deps.cellClient(cellId)
  await noteCell(deps, target, { kind: 'unknown' })
  const mayRead = system.authorize('cell', 'read', { cellId })
  const others = await findNexusNames(deps.database.all, mayRead, [name], row.id)
  if (!others.has(name)) {
    try {
      await deps.outward('nexus-unregister', () => client.deleteNexusEndpoint(name))
    } catch (thrown) {
      if (!(thrown instanceof CellError) || thrown.kind !== 'not_found') throw thrown
    }
    await wakeDoubted(deps.database, cellId, [name], row.id)
  }
  await noteCell(deps, target, null)
  return settled
}

async function noteCell(deps: NexusStepDeps, target: NexusStepTarget, seen: CellRecord | null): Promise<void> {
  await note(deps, target, { cellObserved: seen })
}

async function note(deps: NexusStepDeps, target: NexusStepTarget, record: NexusEndpointRecord): Promise<void> {
  await recordNexusEndpoint(deps.database.all, target.proof, target.fence, record)
}
