import { type CellNodes, drainMs, type SlotNode, slotsOf } from '#libs/domain/cells'
import { templateHash } from '#libs/domain/nodes'
import type { CellRow } from '#libs/store/cells'
import type { NodeRow } from '#libs/store/nodes'

/**
 * The cell's nodes as its plan sees them.
 * @param isNamed the public addresses of the cell's edges are in a DNS that we keep.
 */
export function cellNodes(cell: CellRow, rows: readonly NodeRow[], isNamed: boolean, now: Date): CellNodes {
  return {
    slots: slotsOf(cell.size),
    templateHash: templateHash(cell.node_template),
    bootstrapped: cell.bootstrapped_at !== null,
    nodes: rows.flatMap((row) => slotNode(row, isNamed)),
    now: now.getTime(),
  }
}

function slotNode(row: NodeRow, isNamed: boolean): SlotNode[] {
  if (row.state === 'deleted') return []
  return [
    {
      nodeId: row.id,
      slotId: row.slot,
      state: row.state,
      templateHash: templateHash(row.template),
      ...(row.retire_reason === null ? {} : { retireReason: row.retire_reason }),
      ...moment('retireBy', row.retire_by),
      ...moment('seenAt', row.seen_at),
      ...moment('readyAt', row.first_ready_at),
      ...moment('unreadySince', unreadySince(row)),
      ...moment('drainingSince', row.draining_since),
      drainMs: drainMs(row.role, isNamed),
    },
  ]
}

function moment<Name extends string>(name: Name, at: Date | null): { readonly [key in Name]?: number } {
  return at === null ? {} : ({ [name]: at.getTime() } as { readonly [key in Name]?: number })
}

/** From the node's own condition: see ready-condition.ts. */
function unreadySince({ conditions }: NodeRow): Date | null {
  const ready = conditions.ready as { readonly status?: unknown; readonly since?: unknown } | undefined
  return ready?.status === false && typeof ready.since === 'string' ? new Date(ready.since) : null
}
