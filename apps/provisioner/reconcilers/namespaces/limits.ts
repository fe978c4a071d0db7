import { systemActor } from '#libs/authz'
import type { CellLimits } from '#libs/domain/namespaces'
import { enqueue } from '#libs/jobs'
import { askForLimits, recordNamespace } from '#libs/store/namespaces'
import { listNodes, type NodeRow } from '#libs/store/nodes'
import { dynamicConfigPollMs } from '../../cells/temporal-config.ts'
import { again, type Next, settled } from '../next.ts'
import type { StepDeps, StepTarget } from './step-target.ts'

const system = systemActor('namespace-limits')
/**
 * Milliseconds from the moment at which a node was seen to hold a file until its servers have surely read it. Nobody
 * sees them read it: they look every five seconds, and the rest is for a busy machine.
 */
const readWithinMs = dynamicConfigPollMs + 1_000
/** Milliseconds that a node usually takes to a new manifest; the first look at what the nodes hold comes after both. */
const manifestMs = 500
/** Milliseconds between two looks at nodes that take longer. */
const nodesLagMs = 2_000

/** The nodes are woken once for all namespaces that ask before they come to it. */
export async function askLimits(deps: StepDeps, target: StepTarget, limits: CellLimits): Promise<Next> {
  const { cell, proof, fence } = target
  // Before the transaction: whoever holds the cell's row must not wait for a connection that those hold who wait for the row.
  const nodes = await nodesOf(deps, cell.id)
  await deps.database.all.transaction().execute(async (trx) => {
    await askForLimits(trx, proof, fence, cell.id, limits)
    for (const node of nodes) await enqueue(trx, 'reconcile-node', { nodeId: node.id })
  })
  return settled
}

export async function awaitLimits(deps: StepDeps, target: StepTarget, limits: CellLimits): Promise<Next> {
  const { row, cell, proof, fence } = target
  const version = row.limits_observed?.version ?? 0
  const record = (fields: Parameters<typeof recordNamespace>[3]) =>
    recordNamespace(deps.database.all, proof, fence, fields)
  const waits = (await nodesOf(deps, cell.id))
    // One that was never made, or that is gone, begins with what is asked for then.
    .filter((node) => node.observed !== null)
    .map((node) => ({ node, ms: msUntilRead(node, version, deps.clock.now()) }))
  const [longest] = waits.toSorted((a, b) => b.ms - a.ms)
  if (longest === undefined || longest.ms <= 0) {
    const isDefault = Object.keys(limits).length === 0
    await record({ limitsObserved: isDefault ? null : { limits, version, acting: true } })
    return settled
  }
  const lags = longest.ms === Number.POSITIVE_INFINITY
  // The first pass comes straight from asking: no node can hold them yet.
  const ms = lags ? (isFirstLook(row.waiting_for) ? readWithinMs + manifestMs : nodesLagMs) : longest.ms
  await record({ waitingFor: `${waitingForLimits}${longest.node.id}`, restMs: ms })
  return again(ms)
}

const waitingForLimits = 'the limits are taken up by the node '

function isFirstLook(waitingFor: string): boolean {
  return !waitingFor.startsWith(waitingForLimits)
}

/** Infinite as long as the node is not known to hold the version. */
function msUntilRead(node: NodeRow, version: number, now: Date): number {
  if (node.limits_held < version || node.limits_held_at === null) return Number.POSITIVE_INFINITY
  return readWithinMs - (now.getTime() - node.limits_held_at.getTime())
}

async function nodesOf(deps: StepDeps, cellId: string): Promise<readonly NodeRow[]> {
  return listNodes(deps.database.all, system.authorize('node', 'list', { fleet: true }), cellId)
}
