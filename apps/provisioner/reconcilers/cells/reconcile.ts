import { type Authorized, systemActor } from '#libs/authz'
import { type Clock, coerceError } from '#libs/base'
import type { Region } from '#libs/config'
import { type CellNodes, isServing, type NodeAction, nextLook, type ObservedCell, planCell } from '#libs/domain/cells'
import { hasFrontend } from '#libs/domain/nodes'
import { enqueue } from '#libs/jobs'
import type { Sealer } from '#libs/sealing'
import type { Database } from '#libs/store'
import { type CellRow, getCell, recordCell } from '#libs/store/cells'
import { listWaitingForCell } from '#libs/store/namespaces'
import { changeNodes, listNodes, type NodeRow } from '#libs/store/nodes'
import type { Logger } from '#libs/telemetry'
import { knownSchema, wantedSchema } from '../../cells/database-schema.ts'
import type { NodeDriver } from '../../drivers/contract.ts'
import type { CellClient } from '../../temporal/cell-client.ts'
import { failedPass } from '../failed-pass.ts'
import { leasedPass } from '../leased-pass.ts'
import { again, type Next, settled } from '../next.ts'
import type { Outward } from '../outward.ts'
import { readyCondition } from '../ready-condition.ts'
import { cellNodes } from './cell-nodes.ts'

/** The databases of cells, wherever they are. */
export interface CellDatabases {
  /** Makes them be there, with the schema that servers of this version want or a newer one; idempotent. */
  readonly create: (cellId: string, password: string, serverVersion: string) => Promise<void>
  readonly drop: (cellId: string) => Promise<void>
}

export interface CellReconcilerDeps {
  readonly database: Database
  readonly sealer: Sealer
  readonly clock: Clock
  readonly outward: Outward
  readonly logger: Logger
  readonly regions: readonly Region[]
  /** Of a region. @throws Error when the region is not configured here */
  readonly driver: (regionId: string) => NodeDriver
  readonly databases: CellDatabases
  readonly cellClient: (cellId: string) => Promise<CellClient>
}

type Proof = Authorized<'cell', 'update'>

const system = systemActor('cell-reconciler')
/** Milliseconds until the next look at nodes that come up; they wake their cell, this is for lost wake-ups. */
const nodesComeUpMs = 1_000
/** Milliseconds between two questions to a cell that just started. */
const answersMs = 100

/** One pass over one cell: databases with their schema, then nodes, then the question whether it answers. */
export async function reconcileCell(deps: CellReconcilerDeps, cellId: string): Promise<Next> {
  const proof = system.authorize('cell', 'update', { cellId })
  return leasedPass(deps, 'cells', cellId, async (holder) => {
    const row = await getCell(deps.database.all, proof)
    if (row.state === 'deleted') return settled
    try {
      return await advance(deps, proof, holder, row)
    } catch (thrown) {
      const failed = { logger: deps.logger, about: { cell: row.id }, failures: row.failures, thrown }
      return await failedPass(failed, (reason, failures, restMs) =>
        recordCell(deps.database.all, proof, holder, {
          conditions: readyCondition(row.conditions, false, reason),
          failures,
          restMs,
        }),
      )
    }
  })
}

async function advance(deps: CellReconcilerDeps, proof: Proof, holder: string, row: CellRow): Promise<Next> {
  const { all } = deps.database
  const rows = await listNodes(all, system.authorize('node', 'list', { fleet: true }), row.id)
  const deleted = row.state === 'deleting'
  const schemaVersion = wantedSchema(knownSchema(row), row.node_template.serverVersion)
  const nodes = cellNodes(row, rows, isNamed(deps, row), deps.clock.now())
  const answering = !deleted && rows.some(isReadyFrontend) && (await answers(deps, row.id))
  if (!deleted && !nodes.bootstrapped && isBootstrapped(nodes, rows, answering)) {
    await recordCell(all, proof, holder, { bootstrappedAt: deps.clock.now() })
    return again(0)
  }
  const steps = planCell({ id: row.id, deleted, schemaVersion }, observedOf(row, nodes, answering))
  const [step] = steps
  const record = (fields: Parameters<typeof recordCell>[3]) => recordCell(all, proof, holder, fields)
  const condition = (ready: boolean, detail: string) => readyCondition(row.conditions, ready, detail)
  switch (step?.kind) {
    case 'create-databases':
    case 'apply-schema': {
      const password = deps.sealer.open(row.database_password_sealed, `cells/${row.id}/database`).toString('utf8')
      // What they were known to have they still have: nodes of the version before are looked after meanwhile.
      const known = knownSchema(row)
      await record({
        databasesObserved: { kind: 'unknown', ...(known === undefined ? {} : { schemaVersion: known }) },
        conditions: condition(false, 'the databases are made'),
      })
      const { serverVersion } = row.node_template
      await deps.outward('create-databases', () => deps.databases.create(row.id, password, serverVersion))
      await record({ databasesObserved: { kind: 'present', schemaVersion } })
      // They wait for it.
      for (const node of rows) await enqueue(all, 'reconcile-node', { nodeId: node.id })
      return again(0)
    }
    case 'change-nodes':
      await change(deps, proof, holder, row, step.actions)
      return again(0)
    case 'await-nodes': {
      const serves = !deleted && answering && isServing(nodes)
      await record({ conditions: condition(serves, serves ? 'a node is replaced' : waitingFor(nodes, deleted)) })
      return again(untilNextLook(nodes))
    }
    case 'confirm-answering':
      await record({ conditions: condition(false, 'its frontends do not answer yet') })
      return again(answersMs)
    case 'drop-databases':
      await record({ databasesObserved: { kind: 'unknown' } })
      await deps.outward('release-addresses', () => deps.driver(row.region).releaseAddresses(row.id, []))
      await deps.outward('drop-databases', () => deps.databases.drop(row.id))
      await record({ databasesObserved: null })
      return again(0)
    default:
      await record({ state: deleted ? 'deleted' : 'ready', conditions: condition(!deleted, ''), failures: 0 })
      if (row.state !== 'ready') await wakeNamespaces(deps, row.id)
      return settled
  }
}

/** Writes what the plan says about the cell's nodes, and wakes those that it is about. */
async function change(
  deps: CellReconcilerDeps,
  proof: Proof,
  holder: string,
  cell: CellRow,
  actions: readonly NodeAction[],
): Promise<void> {
  const idsOf = (kind: 'drain' | 'delete') => actions.flatMap((action) => (action.kind === kind ? [action.nodeId] : []))
  const changes = {
    add: actions.flatMap((action) =>
      action.kind === 'add'
        ? [
            {
              slotId: action.slot.id,
              role: action.slot.role,
              zone: action.slot.ordinal,
              driver: cell.driver,
              template: cell.node_template,
            },
          ]
        : [],
    ),
    drain: idsOf('drain'),
    remove: idsOf('delete'),
    at: deps.clock.now(),
  }
  await deps.database.all.transaction().execute(async (trx) => {
    const touched = await changeNodes(trx, proof, holder, changes)
    for (const nodeId of touched) await enqueue(trx, 'reconcile-node', { nodeId })
  })
  for (const action of actions) {
    const about = action.kind === 'add' ? { slot: action.slot.id } : { node: action.nodeId, reason: action.reason }
    deps.logger.info({ cell: cell.id, action: action.kind, ...about }, 'the nodes of the cell change')
  }
}

/**
 * From then on several nodes may start at once: the first one has written the cell's own metadata, and it answers if it
 * is one that can.
 */
function isBootstrapped({ slots }: CellNodes, rows: readonly NodeRow[], answering: boolean): boolean {
  const first = rows.find((node) => node.slot === slots[0]?.id && node.state === 'ready')
  return first !== undefined && (answering || !hasFrontend(first.role))
}

function isReadyFrontend({ state, role }: NodeRow): boolean {
  return state === 'ready' && hasFrontend(role)
}

/** Whether the public addresses of its edges are in a DNS that we keep. */
export function isNamed({ regions }: Pick<CellReconcilerDeps, 'regions'>, { region }: CellRow): boolean {
  return regions.find(({ id }) => id === region)?.dns.provider === 'route53'
}

function waitingFor({ slots, nodes }: CellNodes, deleted: boolean): string {
  if (deleted) return `its nodes are deleted: ${nodes.map(({ nodeId }) => nodeId).join(', ')}`
  const empty = slots.filter((slot) => !nodes.some((node) => node.slotId === slot.id && node.state === 'ready'))
  return `its nodes come up: ${empty.map((slot) => slot.id).join(', ')}`
}

function untilNextLook(nodes: CellNodes): number {
  const at = nextLook(nodes)
  return at === undefined ? nodesComeUpMs : Math.max(0, Math.min(at - nodes.now, nodesComeUpMs))
}

async function answers(deps: CellReconcilerDeps, cellId: string): Promise<boolean> {
  try {
    const client = await deps.cellClient(cellId)
    await deps.outward('confirm-answering', () => client.health())
    return true
  } catch (thrown) {
    deps.logger.debug({ cell: cellId, err: coerceError(thrown) }, 'the cell does not answer')
    return false
  }
}

async function wakeNamespaces(deps: CellReconcilerDeps, cellId: string): Promise<void> {
  const proof = system.authorize('cell', 'read', { cellId })
  for (const namespaceId of await listWaitingForCell(deps.database.all, proof)) {
    await enqueue(deps.database.all, 'reconcile-namespace', { namespaceId })
  }
}

/** What the cell's row and its nodes' say. */
export function observedOf(row: CellRow, nodes: CellNodes, answering: boolean): ObservedCell {
  const databases = row.databases_observed as {
    readonly kind: 'unknown' | 'present'
    readonly schemaVersion?: string
  } | null
  return {
    databases: databases?.kind ?? 'absent',
    ...(databases?.schemaVersion === undefined ? {} : { schemaVersion: databases.schemaVersion }),
    nodes,
    answering,
  }
}
