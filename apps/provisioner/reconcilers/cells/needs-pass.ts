import type { Clock } from '#libs/base'
import type { Region } from '#libs/config'
import { planCell } from '#libs/domain/cells'
import type { CellRow } from '#libs/store/cells'
import type { NodeRow } from '#libs/store/nodes'
import { knownSchema, wantedSchema } from '../../cells/database-schema.ts'
import { cellNodes } from './cell-nodes.ts'
import { isNamed, observedOf } from './reconcile.ts'

export interface CellQuestion {
  readonly row: CellRow
  /** Of the cell, in the order in which they were made. */
  readonly nodes: readonly NodeRow[]
  readonly answering: boolean
  readonly regions: readonly Region[]
  readonly clock: Clock
}

/** Whether a pass over the cell would do anything: what `reconcileCell` asks itself, without asking the world. */
export function cellNeedsPass({ row, nodes: rows, answering, regions, clock }: CellQuestion): boolean {
  if (row.state !== 'ready' || row.bootstrapped_at === null || !saysReady(row)) return true
  const schemaVersion = wantedSchema(knownSchema(row), row.node_template.serverVersion)
  const nodes = cellNodes(row, rows, isNamed({ regions }, row), clock.now())
  const [step] = planCell({ id: row.id, deleted: false, schemaVersion }, observedOf(row, nodes, answering))
  return step?.kind !== 'done'
}

/** See ready-condition.ts: a pass that ended well says so. */
function saysReady({ conditions }: CellRow): boolean {
  const ready = conditions.ready as { readonly status?: unknown } | undefined
  return ready?.status === true
}
