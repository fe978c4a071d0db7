import { assertNever } from '#libs/base'
import { type CellLimits, sameCellLimits } from './cell-limits.ts'

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
  /** Column → name of each search attribute. */
  readonly aliases: Aliases
  /** As far as they differ from the cell's defaults. */
  readonly limits: CellLimits
  readonly generation: number
  readonly deleted: boolean
  /** What its name in DNS is to point at; undefined where nobody keeps names. */
  readonly nameTarget: string | undefined
}

export type Aliases = Readonly<Record<string, string>>

/** What the row says about the cell. `unknown` is written before each call, and stays when its answer is lost. */
export type ObservedInCell =
  | { readonly kind: 'absent' }
  | { readonly kind: 'unknown' }
  | {
      readonly kind: 'present'
      readonly owner: string
      readonly retentionDays: number
      readonly aliases: Aliases
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

/** What was last accepted by whoever keeps its name. */
export type ObservedName =
  | { readonly kind: 'absent' }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'present'; readonly target: string }

/** What the cell's nodes hold for it. `asked`: they stand in the nodes' manifests, or will in the next. */
export type ObservedLimits =
  | { readonly kind: 'default' }
  | { readonly kind: 'asked'; readonly limits: CellLimits }
  | { readonly kind: 'acting'; readonly limits: CellLimits }

export interface ObservedNamespace {
  readonly cell: ObservedInCell
  readonly edge: ObservedAtEdge
  readonly limits: ObservedLimits
  readonly name: ObservedName
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
  /** Take names away from columns: the server gives no other name to a column that has one. */
  | {
      readonly kind: 'drop-aliases'
      readonly id: string
      readonly columns: readonly string[]
      /** All that are left after it. */
      readonly left: Aliases
    }
  /** Give columns their names, after all that must go are gone. */
  | {
      readonly kind: 'set-aliases'
      readonly id: string
      readonly aliases: Aliases /** All after it. */
      readonly all: Aliases
    }
  | { readonly kind: 'wait-cell-cache'; readonly ms: number }
  /** Have the limits in every manifest that is made from now on. */
  | { readonly kind: 'ask-limits'; readonly id: string; readonly limits: CellLimits }
  /** Wait until every node of the cell holds what was asked for, and its servers have read it. */
  | { readonly kind: 'await-limits'; readonly id: string; readonly limits: CellLimits }
  /** Wait until the edge answers with this generation or a later one. */
  | { readonly kind: 'serve-at-edge'; readonly id: string; readonly generation: number }
  /** Have its name point at the cell's edges. */
  | { readonly kind: 'publish-name'; readonly id: string; readonly target: string }
  | { readonly kind: 'withdraw-name'; readonly id: string }
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

function planPresence(desired: DesiredNamespace, { cell, edge, limits, name }: ObservedNamespace): NamespaceStep[] {
  const inCell = planInCell(desired, cell)
  if (inCell.some((step) => step.kind === 'fail')) return inCell
  const { ask, wait } = planLimits(desired, limits)
  // The cell comes first: the edge never leads a caller to a name that the cell would remember as missing.
  const served = edge.kind === 'serving' && edge.generation >= desired.generation
  const atEdge: NamespaceStep[] = served
    ? []
    : [{ kind: 'serve-at-edge', id: desired.id, generation: desired.generation }]
  // Asked for first, since to act takes them the longest.
  // Its edges serve it by then: nobody is led to where nothing answers.
  return [...ask, ...inCell, ...wait, ...atEdge, ...planName(desired, name), { kind: 'done' }]
}

function planName({ id, nameTarget: target }: DesiredNamespace, name: ObservedName): NamespaceStep[] {
  if (target === undefined || (name.kind === 'present' && name.target === target)) return []
  return [{ kind: 'publish-name', id, target }]
}

function planLimits(
  { id, limits }: DesiredNamespace,
  observed: ObservedLimits,
): { readonly ask: NamespaceStep[]; readonly wait: NamespaceStep[] } {
  const wait: NamespaceStep[] = [{ kind: 'await-limits', id, limits }]
  const present = observed.kind === 'default' ? {} : observed.limits
  if (!sameCellLimits(present, limits)) return { ask: [{ kind: 'ask-limits', id, limits }], wait }
  return { ask: [], wait: observed.kind === 'asked' ? wait : [] }
}

function planInCell(desired: DesiredNamespace, cell: ObservedInCell): NamespaceStep[] {
  const { id, owner, retentionDays } = desired
  const wait = (ms: number): NamespaceStep => ({ kind: 'wait-cell-cache', ms })
  switch (cell.kind) {
    case 'absent':
    case 'unknown':
      return [
        { kind: 'register', id, owner, retentionDays },
        ...planAliases(desired, {}),
        ...(Object.keys(desired.aliases).length === 0 ? [] : [wait(cellCacheMs)]),
      ]
    case 'present': {
      if (cell.owner !== owner) {
        return [{ kind: 'fail', reason: `the cell has a namespace ${id} that belongs to somebody else` }]
      }
      const updates = planAliases(desired, cell.aliases)
      if (cell.retentionDays !== retentionDays) updates.unshift({ kind: 'update-retention', id, retentionDays })
      if (updates.length > 0) return [...updates, wait(cellCacheMs)]
      const left = cellCacheMs - (cell.sinceUpdateMs ?? cellCacheMs)
      return left > 0 ? [wait(left)] : []
    }
    case 'deleting':
      return [{ kind: 'fail', reason: `the namespace ${id} is being deleted on the cell` }]
    default:
      return assertNever(cell)
  }
}

function planAliases({ id, aliases: wanted }: DesiredNamespace, present: Aliases): NamespaceStep[] {
  const entries = Object.entries(present)
  const columns = entries.filter(([column, name]) => wanted[column] !== name).map(([column]) => column)
  const left = Object.fromEntries(entries.filter(([column]) => !columns.includes(column)))
  const missing = Object.entries(wanted).filter(([column]) => left[column] === undefined)
  return [
    ...(columns.length === 0 ? [] : [{ kind: 'drop-aliases', id, columns, left } as const]),
    ...(missing.length === 0
      ? []
      : [{ kind: 'set-aliases', id, aliases: Object.fromEntries(missing), all: wanted } as const]),
  ]
}

function planDeletion({ id, owner }: DesiredNamespace, { cell, edge, name }: ObservedNamespace): NamespaceStep[] {
  // The way goes first: no caller is ever led to a namespace that is half gone.
  const atEdge: NamespaceStep[] = [
    ...(name.kind === 'absent' ? [] : [{ kind: 'withdraw-name', id } as const]),
    ...(edge.kind === 'absent' ? [] : [{ kind: 'remove-from-edge', id } as const]),
  ]
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
