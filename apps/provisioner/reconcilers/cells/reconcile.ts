import { type Authorized, systemActor } from '#libs/authz'
import { coerceError } from '#libs/base'
import { type ObservedCell, type ObservedNode, planCell } from '#libs/domain/cells'
import { enqueue } from '#libs/jobs'
import type { Sealer } from '#libs/sealing'
import type { Database } from '#libs/store'
import { type CellRow, getCell, recordCell } from '#libs/store/cells'
import { listWaitingForCell } from '#libs/store/namespaces'
import { listNodes, markNodesDeleting, type NodeRow } from '#libs/store/nodes'
import type { Logger } from '#libs/telemetry'
import { knownSchema, wantedSchema } from '../../cells/database-schema.ts'
import type { CellClient } from '../../temporal/cell-client.ts'
import { failedPass } from '../failed-pass.ts'
import { leasedPass } from '../leased-pass.ts'
import { again, type Next, settled } from '../next.ts'
import type { Outward } from '../outward.ts'
import { readyCondition } from '../ready-condition.ts'

/** The databases of cells, wherever they are. */
export interface CellDatabases {
  /** Makes them be there, with the schema that servers of this version want or a newer one; idempotent. */
  readonly create: (cellId: string, password: string, serverVersion: string) => Promise<void>
  readonly drop: (cellId: string) => Promise<void>
}

export interface CellReconcilerDeps {
  readonly database: Database
  readonly sealer: Sealer
  readonly outward: Outward
  readonly logger: Logger
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
  if (row.state === 'deleting') await markNodesDeleting(all, proof)
  const nodes = await listNodes(all, system.authorize('node', 'list', { fleet: true }), row.id)
  const deleted = row.state === 'deleting'
  const desired = {
    id: row.id,
    deleted,
    schemaVersion: wantedSchema(knownSchema(row), row.node_template.serverVersion),
    nodes: nodes.map((node) => ({ nodeId: node.id, generation: node.generation, deleted: node.state === 'deleting' })),
  }
  const answering = !deleted && nodes.some((node) => node.state === 'ready') && (await answers(deps, row.id))
  const [step] = planCell(desired, observedOf(row, nodes, answering))
  const record = (fields: Parameters<typeof recordCell>[3]) => recordCell(all, proof, holder, fields)
  const condition = (ready: boolean, detail: string) => readyCondition(row.conditions, ready, detail)
  switch (step?.kind) {
    case 'create-databases':
    case 'apply-schema': {
      const password = deps.sealer.open(row.database_password_sealed, `cells/${row.id}/database`).toString('utf8')
      // What they were known to have they still have: nodes of the version before are looked after meanwhile.
      const schemaVersion = knownSchema(row)
      await record({
        databasesObserved: { kind: 'unknown', ...(schemaVersion === undefined ? {} : { schemaVersion }) },
        conditions: condition(false, 'the databases are made'),
      })
      const { serverVersion } = row.node_template
      await deps.outward('create-databases', () => deps.databases.create(row.id, password, serverVersion))
      await record({ databasesObserved: { kind: 'present', schemaVersion: desired.schemaVersion } })
      return again(0)
    }
    case 'launch-node':
    case 'configure-node':
    case 'await-node':
    case 'delete-node':
      for (const node of nodes) await enqueue(all, 'reconcile-node', { nodeId: node.id })
      await record({ conditions: condition(false, 'its nodes come up') })
      return again(nodesComeUpMs)
    case 'confirm-answering':
      await record({ conditions: condition(false, 'its frontends do not answer yet') })
      return again(answersMs)
    case 'drop-databases':
      await record({ databasesObserved: { kind: 'unknown' } })
      await deps.outward('drop-databases', () => deps.databases.drop(row.id))
      await record({ databasesObserved: null })
      return again(0)
    default:
      await record({ state: deleted ? 'deleted' : 'ready', conditions: condition(!deleted, ''), failures: 0 })
      if (row.state !== 'ready') await wakeNamespaces(deps, row.id)
      return settled
  }
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

function observedOf(row: CellRow, nodes: readonly NodeRow[], answering: boolean): ObservedCell {
  const databases = row.databases_observed as {
    readonly kind: 'unknown' | 'present'
    readonly schemaVersion?: string
  } | null
  const seen = new Map<string, ObservedNode>()
  for (const node of nodes) if (node.observed !== null) seen.set(node.id, node.observed as ObservedNode)
  return {
    databases: databases?.kind ?? 'absent',
    ...(databases?.schemaVersion === undefined ? {} : { schemaVersion: databases.schemaVersion }),
    nodes: seen,
    answering,
  }
}
