import type { Clock } from '#libs/base'
import { planNode } from '#libs/domain/cells'
import type { CellRow } from '#libs/store/cells'
import type { NodeRow } from '#libs/store/nodes'
import { knownSchema } from '../../cells/database-schema.ts'
import type { NodeInstance } from '../../drivers/contract.ts'
import { observedOf } from './execute.ts'
import { desiredOf, isOutdated, newsOf } from './reconcile.ts'

export interface NodeQuestion {
  readonly row: NodeRow
  readonly cell: CellRow
  /** As the driver listed it; null when there is no such machine, undefined when that is not known. */
  readonly instance: NodeInstance | null | undefined
  /** See `manifestSettings`. */
  readonly settings: string
  readonly clock: Clock
}

/** Whether a pass over the node would do anything: what `reconcileNode` asks itself, without asking the world. */
export function nodeNeedsPass({ row, cell, instance, settings, clock }: NodeQuestion): boolean {
  // Its cell takes it away.
  if (row.state === 'failed') return false
  if (row.state === 'deleting') return true
  // Before and after its databases there is nothing to do.
  if (knownSchema(cell) === undefined) return false
  if (instance === undefined) return row.state === 'creating'
  if (isOutdated(cell, row, settings)) return true
  if (row.limits_version < cell.limits_version || row.limits_held < row.limits_version) return true
  if (instance !== null && newsOf(row, instance, clock.now()) !== undefined) return true
  const [step] = planNode(desiredOf(row, cell, instance ?? undefined), observedOf(instance ?? undefined))
  if (row.state === 'draining') return step?.kind === 'fail-node'
  return step?.kind !== 'done' || row.state !== 'ready'
}
