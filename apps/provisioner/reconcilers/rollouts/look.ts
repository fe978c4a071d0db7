import { type Authorized, systemActor } from '#libs/authz'
import type { Clock } from '#libs/base'
import { slotsOf } from '#libs/domain/cells'
import { type NodeTemplate, templateHash } from '#libs/domain/nodes'
import type { CellLook } from '#libs/domain/rollouts'
import type { Database } from '#libs/store'
import { listNodes, type NodeRow } from '#libs/store/nodes'
import { listNodesOfTemplate, type RolloutCellRow } from '#libs/store/rollouts'
import type { Outward } from '../outward.ts'
import type { CellHealth } from './cell-health.ts'

export interface LookDeps {
  readonly database: Database
  readonly clock: Clock
  readonly outward: Outward
  readonly health: CellHealth
}

const system = systemActor('rollout-reconciler')
/** New nodes of a cell that ended though nobody wanted it: machines die, but not three in a row. */
const deathsThatFail = 3
/** Passes over one noun in a row that failed, or calls to launch it: by then, half a minute has passed and more. */
const failuresThatFail = 8

/** What can be read from a cell's own row, of cells whose nodes are not being replaced. */
export function lookAtRow({ cell, since }: RolloutCellRow): CellLook {
  if (cell.state === 'deleting' || cell.state === 'deleted') return gone
  const ready = cell.conditions.ready as { status?: unknown; since?: unknown; detail?: unknown } | undefined
  const wellAt = { progressAt: since.getTime(), detail: '' }
  if (cell.state === 'ready' && ready?.status === true) return { nodes: 'whole', ...wellAt }
  const at = typeof ready?.since === 'string' ? Date.parse(ready.since) : since.getTime()
  return {
    nodes: 'under_way',
    progressAt: Math.max(at, since.getTime()),
    detail: typeof ready?.detail === 'string' ? ready.detail : 'it has not come up yet',
  }
}

/** A cell whose nodes are being replaced, or just were: its nodes one by one, and the cell itself. */
export async function lookAtNodes(
  deps: LookDeps,
  row: RolloutCellRow,
  template: NodeTemplate,
  begunAt: Date,
): Promise<CellLook> {
  const { cell } = row
  if (cell.state === 'deleting' || cell.state === 'deleted') return gone
  const { all } = deps.database
  const mayList = system.authorize('node', 'list', { fleet: true })
  const live = await listNodes(all, mayList, cell.id)
  // Both times are the database's: what became of the template before this rollout is another matter.
  const everyWanted = await listNodesOfTemplate(all, mayList, cell.id, template)
  const wanted = everyWanted.filter((node) => node.created_at >= begunAt || node.state !== 'deleted')
  const nodes = nodesOf(row, live, wanted, templateHash(template))
  const mayRead: Authorized<'cell', 'read'> = system.authorize('cell', 'read', { cellId: cell.id })
  const version = nodes.nodes === 'whole' ? template.serverVersion : undefined
  const problem = await deps.outward('ask-cell', () => deps.health.ask(mayRead, version))
  if (problem === undefined) return nodes
  return {
    ...nodes,
    unwellSince: (row.unwell_since ?? deps.clock.now()).getTime(),
    detail: nodes.detail === '' ? problem : `${nodes.detail}; ${problem}`,
  }
}

const gone: CellLook = { nodes: 'gone', progressAt: 0, detail: 'it was deleted' }

function nodesOf(row: RolloutCellRow, live: readonly NodeRow[], wanted: readonly NodeRow[], hash: string): CellLook {
  const progressAt = lastProgress(row, live, wanted)
  const reason = reasonToFail(row, wanted)
  if (reason !== undefined) return { nodes: 'failing', progressAt, detail: reason }
  const slots = slotsOf(row.cell.size)
  const isNew = (node: NodeRow) => node.state === 'ready' && templateHash(node.template) === hash
  const empty = slots.filter((slot) => !live.some((node) => node.slot === slot.id && isNew(node)))
  if (empty.length === 0 && live.length === slots.length) return { nodes: 'whole', progressAt, detail: '' }
  const names = empty.map((slot) => slot.id).join(', ')
  const left = live.length - slots.length
  const detail = names === '' ? `${left} of its former nodes are left` : `not yet replaced: ${names}`
  const pending = live.find((node) => templateHash(node.template) === hash && node.state === 'creating')
  const why = pending === undefined ? '' : detailOf(pending)
  return { nodes: 'under_way', progressAt, detail: why === '' ? detail : `${detail} (${pending?.slot}: ${why})` }
}

function reasonToFail({ cell }: RolloutCellRow, wanted: readonly NodeRow[]): string | undefined {
  const dead = wanted.filter(
    (node) => node.ended_at !== null && node.draining_since === null && node.retire_reason === null,
  )
  if (dead.length >= deathsThatFail) return `${dead.length} new nodes ended, the last of them in ${dead.at(-1)?.slot}`
  const stuck = wanted.find((node) => Math.max(node.failures, node.launch_failures) >= failuresThatFail)
  if (stuck !== undefined) return `a new node in ${stuck.slot} fails again and again: ${detailOf(stuck)}`
  if (cell.failures < failuresThatFail) return undefined
  const ready = cell.conditions.ready as { readonly detail?: unknown } | undefined
  return `its own passes fail: ${typeof ready?.detail === 'string' ? ready.detail : ''}`
}

/** A new node is ready, or a former one drains: whatever else moves comes to nothing if these do not. */
function lastProgress({ since }: RolloutCellRow, live: readonly NodeRow[], wanted: readonly NodeRow[]): number {
  const times = [since, ...wanted.map((node) => node.first_ready_at), ...live.map((node) => node.draining_since)]
  return Math.max(...times.map((time) => time?.getTime() ?? 0))
}

function detailOf({ conditions }: NodeRow): string {
  const ready = conditions.ready as { readonly detail?: unknown } | undefined
  return typeof ready?.detail === 'string' ? ready.detail : ''
}
