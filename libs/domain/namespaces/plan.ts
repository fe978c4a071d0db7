import { assertNever } from '#libs/base'

/**
 * Updates reach every host of a cell within this time after the call returned (milliseconds): the cell's setting
 * `system.namespaceCacheRefreshInterval`.
 */
export const cellCacheMs = 2000

/** What the row asks for. */
export interface DesiredNamespace {
  /** Also the name on the cell. */
  readonly id: string
  /** Written into the namespace on the cell, and compared before one that exists is taken as ours. */
  readonly owner: string
  readonly retentionDays: number
  readonly generation: number
  readonly deleted: boolean
}

/** What the row says about the cell. `unknown` is written before each call, and stays when its answer is lost. */
export type ObservedInCell =
  | { readonly kind: 'absent' }
  | { readonly kind: 'unknown' }
  | {
      readonly kind: 'present'
      readonly owner: string
      readonly retentionDays: number
      /** Milliseconds since the last update on the cell returned; undefined when there was none since registration. */
      readonly sinceUpdateMs?: number
    }
  /** DeleteNamespace has returned; the cell deletes what was in it in the background. */
  | { readonly kind: 'deleting' }

/** What was last seen through the edge itself. */
export type ObservedAtEdge =
  | { readonly kind: 'absent' }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'serving'; readonly generation: number }

export interface ObservedNamespace {
  readonly cell: ObservedInCell
  readonly edge: ObservedAtEdge
}

/** One idempotent outward call, or one wait. */
export type NamespaceStep =
  /**
   * RegisterNamespace; when it says that the name exists, describe it, and the observation becomes what was seen, with
   * `sinceUpdateMs: 0`, since what got lost may have been an update. Never look for the name before this call has
   * returned: the cell would remember for a second that there is none.
   */
  | { readonly kind: 'register'; readonly id: string; readonly owner: string; readonly retentionDays: number }
  | { readonly kind: 'update-retention'; readonly id: string; readonly retentionDays: number }
  | { readonly kind: 'wait-cell-cache'; readonly ms: number }
  /** Wait until the edge answers with this generation or a later one. */
  | { readonly kind: 'serve-at-edge'; readonly id: string; readonly generation: number }
  /** Wait until no edge of the cell has it any more. */
  | { readonly kind: 'remove-from-edge'; readonly id: string }
  /** DeleteNamespace, after a look that it is the owner's (nothing will register the name again); none there is success. */
  | { readonly kind: 'delete-from-cell'; readonly id: string; readonly owner: string }
  /** Wait until the cell does not know the name. */
  | { readonly kind: 'confirm-deleted'; readonly id: string }
  /** Cannot be mended by trying again. */
  | { readonly kind: 'fail'; readonly reason: string }
  | { readonly kind: 'done' }

/**
 * Every step that is left, in order; the last is `done` or `fail`. Execute the first, record what was seen, and plan
 * again: a plan is never kept.
 */
export function plan(desired: DesiredNamespace, observed: ObservedNamespace): NamespaceStep[] {
  return desired.deleted ? planDeletion(desired, observed) : planPresence(desired, observed)
}

function planPresence(desired: DesiredNamespace, { cell, edge }: ObservedNamespace): NamespaceStep[] {
  const inCell = planInCell(desired, cell)
  if (inCell.some((step) => step.kind === 'fail')) return inCell
  // The cell comes first: the edge never leads a caller to a name that the cell would remember as missing.
  const served = edge.kind === 'serving' && edge.generation >= desired.generation
  const atEdge: NamespaceStep[] = served
    ? []
    : [{ kind: 'serve-at-edge', id: desired.id, generation: desired.generation }]
  return [...inCell, ...atEdge, { kind: 'done' }]
}

function planInCell(desired: DesiredNamespace, cell: ObservedInCell): NamespaceStep[] {
  const { id, owner, retentionDays } = desired
  switch (cell.kind) {
    case 'absent':
    case 'unknown':
      return [{ kind: 'register', id, owner, retentionDays }]
    case 'present': {
      if (cell.owner !== owner) {
        return [{ kind: 'fail', reason: `the cell has a namespace ${id} that belongs to somebody else` }]
      }
      if (cell.retentionDays !== retentionDays) {
        return [
          { kind: 'update-retention', id, retentionDays },
          { kind: 'wait-cell-cache', ms: cellCacheMs },
        ]
      }
      const left = cellCacheMs - (cell.sinceUpdateMs ?? cellCacheMs)
      return left > 0 ? [{ kind: 'wait-cell-cache', ms: left }] : []
    }
    case 'deleting':
      return [{ kind: 'fail', reason: `the namespace ${id} is being deleted on the cell` }]
    default:
      return assertNever(cell)
  }
}

function planDeletion({ id, owner }: DesiredNamespace, { cell, edge }: ObservedNamespace): NamespaceStep[] {
  // The edge goes first: no caller is ever led to a namespace that is half gone.
  const atEdge: NamespaceStep[] = edge.kind === 'absent' ? [] : [{ kind: 'remove-from-edge', id }]
  switch (cell.kind) {
    case 'absent':
      return [...atEdge, { kind: 'done' }]
    case 'deleting':
      return [...atEdge, { kind: 'confirm-deleted', id }, { kind: 'done' }]
    case 'present':
      // Somebody else's is not ours to delete, and ours was never there.
      if (cell.owner !== owner) return [...atEdge, { kind: 'done' }]
      return [...atEdge, { kind: 'delete-from-cell', id, owner }, { kind: 'confirm-deleted', id }, { kind: 'done' }]
    case 'unknown':
      return [...atEdge, { kind: 'delete-from-cell', id, owner }, { kind: 'confirm-deleted', id }, { kind: 'done' }]
    default:
      return assertNever(cell)
  }
}
