import type { NodeStep, ObservedNode } from '#libs/domain/cells'
import { enqueue } from '#libs/jobs'
import type { CellRow } from '#libs/store/cells'
import type { NodeRecord, NodeRow } from '#libs/store/nodes'
import type { Logger } from '#libs/telemetry'
import { fits, knownSchema } from '../../cells/database-schema.ts'
import type { NodeDriver, NodeInstance, NodeLaunch } from '../../drivers/contract.ts'
import { again, type Next, settled } from '../next.ts'
import type { Outward } from '../outward.ts'
import { readyCondition } from '../ready-condition.ts'
import { expectMachine, type JoinedNode, openJoin, signJoin } from './join.ts'
import { type LaunchGuard, LaunchRefusedError } from './launch-guard.ts'
import { type ManifestDeps, manifestOf } from './manifest.ts'

export interface NodeReconcilerDeps extends ManifestDeps {
  readonly outward: Outward
  readonly logger: Logger
  /** Of a region. @throws Error when the region is not configured here */
  readonly driver: (regionId: string) => NodeDriver
  readonly launchGuard: Pick<LaunchGuard, 'launch'>
}

/** What one pass over a node has in its hands. */
export interface NodePass {
  readonly row: NodeRow
  readonly cell: CellRow
  readonly driver: NodeDriver
  /** What the driver says; undefined when there is no such node. */
  readonly instance: NodeInstance | undefined
  /** What its manifest is made from besides rows: see `manifestSettings`. */
  readonly settings: string
  /** Writes what was seen. @throws StaleWriterError when the lease is no longer this pass's. */
  readonly record: (fields: NodeRecord) => Promise<void>
}

/** Milliseconds between two looks at a node that starts. */
const startingMs = 200
/** The same at a machine that comes up by itself: it takes minutes, and wakes us when it has something to say. */
const bootingMs = 2_000

/** Does one step of the node's plan, and records what came of it. */
export async function executeNodeStep(deps: NodeReconcilerDeps, pass: NodePass, step: NodeStep): Promise<Next> {
  const { row, driver, record } = pass
  const observed = observedOf(pass.instance)
  switch (step.kind) {
    case 'launch-node':
      return launch(deps, pass)
    case 'configure-node':
      return configure(deps, pass, step.address)
    case 'expose-node': {
      // The lease is renewed right before: whoever comes too late takes the address from nobody.
      await record({ observed })
      const exposure = { nodeId: row.id, cellId: row.cell_id, slotId: row.slot }
      const publicAddress = await deps.outward('expose-node', () => driver.expose(exposure))
      await record({ publicAddress })
      // Taken back, and shown by the provider some time later: the clock looks again.
      return row.public_address === publicAddress ? settled : again(0)
    }
    case 'await-node': {
      const state = row.state === 'ready' ? 'creating' : row.state
      await record({ observed, conditions: condition(row, false, step.detail), state })
      return again(lookAgainMs(driver))
    }
    case 'fail-node':
      return fail(deps, pass, step.reason)
    case 'delete-node':
      await record({ observed: { kind: 'unknown' } })
      await deps.outward('delete-node', () => driver.delete(row.id))
      await record({ observed: null })
      // It may take its time to end.
      return again(driver.join === undefined ? 0 : bootingMs)
    case 'done':
      return settle(deps, pass)
  }
}

async function launch(deps: NodeReconcilerDeps, { row, cell, driver, record }: NodePass): Promise<Next> {
  // A server does not start on a schema that is older than it wants. The cell brings that, and wakes its nodes.
  if (!fits(knownSchema(cell), row.template.serverVersion)) return settled
  try {
    await deps.launchGuard.launch({ node: row, cell, driver }, async () => {
      const launched = launchOf(row, driver.join === undefined ? '' : await openJoin(deps, row, driver.join))
      await record({ observed: { kind: 'unknown' } })
      const made = await deps.outward('launch-node', () => driver.launch(launched))
      await record({ observed: observedOf(made), address: made.address ?? null })
    })
    return again(0)
  } catch (thrown) {
    if (!(thrown instanceof LaunchRefusedError)) throw thrown
    await record({ conditions: condition(row, false, thrown.message) })
    return again(thrown.retryAfterMs)
  }
}

async function configure(deps: NodeReconcilerDeps, pass: NodePass, address: string): Promise<Next> {
  const { row, cell, driver, record, settings } = pass
  const joined = await joinedAs(deps, pass)
  if (joined === 'somebody else') return fail(deps, pass, 'another machine has joined as this node')
  if (joined === 'waiting') {
    const waiting = condition(row, false, 'its machine has not joined yet')
    await record({ observed: observedOf(pass.instance), conditions: waiting })
    return again(lookAgainMs(driver))
  }
  const places = driver.join === undefined ? deps : { ...deps, discoveryUrl: driver.join.discoveryUrl }
  const manifest = await manifestOf(places, cell, row, address, joined)
  await record({ address, observed: { kind: 'unknown' }, manifestSettings: settings })
  await deps.outward('configure-node', () => driver.configure(manifest))
  return again(lookAgainMs(driver))
}

async function fail(deps: NodeReconcilerDeps, { row, record }: NodePass, reason: string): Promise<Next> {
  deps.logger.warn({ node: row.id, cell: row.cell_id, reason }, 'the node has failed')
  await record({ state: 'failed', conditions: condition(row, false, reason), failures: 0 })
  await wakeCell(deps, row)
  return settled
}

async function settle(deps: NodeReconcilerDeps, { row, instance, record }: NodePass): Promise<Next> {
  const deleted = row.state === 'deleting'
  await record({
    observed: deleted ? null : observedOf(instance),
    ...(deleted ? { address: null, publicAddress: null } : {}),
    state: deleted ? 'deleted' : 'ready',
    conditions: condition(row, !deleted, ''),
    failures: 0,
  })
  if (row.state !== 'ready') await wakeCell(deps, row)
  return settled
}

/** The node's cell has something to decide. */
export async function wakeCell({ database }: NodeReconcilerDeps, row: NodeRow): Promise<void> {
  await enqueue(database.all, 'reconcile-cell', { cellId: row.cell_id })
}

/**
 * Who the node is, where machines have to join.
 * @returns undefined where they need not: the provisioner makes the node's key.
 */
async function joinedAs(
  deps: NodeReconcilerDeps,
  { row, driver, instance }: NodePass,
): Promise<JoinedNode | 'waiting' | 'somebody else' | undefined> {
  if (driver.join === undefined) return undefined
  if (instance?.address === undefined) return 'waiting'
  const { machineId, address } = instance
  if (!(await expectMachine(deps, row, { machineId, address }))) return 'somebody else'
  return signJoin(deps, row)
}

/** What the driver says, as plans and rows have it. */
export function observedOf(instance: NodeInstance | undefined): ObservedNode {
  if (instance === undefined) return { kind: 'absent' }
  const { state, generation, detail, address } = instance
  return { kind: 'present', state, generation, detail, ...(address === undefined ? {} : { address }) }
}

function condition({ conditions }: NodeRow, ready: boolean, detail: string) {
  return readyCondition(conditions, ready, detail)
}

function lookAgainMs({ join }: NodeDriver): number {
  return join === undefined ? startingMs : bootingMs
}

function launchOf(row: NodeRow, userData: string): NodeLaunch {
  return {
    nodeId: row.id,
    cellId: row.cell_id,
    role: row.role,
    slotId: row.slot,
    zone: row.zone_preference,
    template: row.template,
    userData,
  }
}
