import {
  type Aliases,
  aliasesOf,
  cellLimitsOf,
  type DesiredNamespace,
  type ObservedNamespace,
} from '#libs/domain/namespaces'
import type { NamespaceRow } from '#libs/store/namespaces'

/** `cell_observed` as it is written; null stands for absent. */
export type CellRecord =
  | { readonly kind: 'unknown' }
  | {
      readonly kind: 'present'
      readonly owner: string
      readonly retentionDays: number
      /** Absent in records of versions that set none. */
      readonly aliases?: Aliases
      readonly updatedAt?: string
    }
  | { readonly kind: 'deleting' }

/** `edge_observed` as it is written; null stands for absent. */
export type EdgeRecord = { readonly kind: 'unknown' } | { readonly kind: 'serving'; readonly generation: number }

/** `name_observed` as it is written; null stands for absent. */
export type NameRecord = { readonly kind: 'unknown' } | { readonly kind: 'present'; readonly target: string }

/** What the row asks for. The owner is the tenant: ids are never given twice, so nothing else can have the name. */
export function desiredOf(row: NamespaceRow, nameTarget: string | undefined): DesiredNamespace {
  return {
    id: row.id,
    owner: row.tenant_id,
    retentionDays: row.spec.retentionDays,
    aliases: aliasesOf(row.spec.searchAttributes ?? {}),
    limits: cellLimitsOf(row.spec),
    generation: row.generation,
    deleted: row.state === 'deleting',
    nameTarget,
  }
}

export function observedOf(row: NamespaceRow, now: Date): ObservedNamespace {
  const cell = row.cell_observed as CellRecord | null
  const edge = row.edge_observed as EdgeRecord | null
  return {
    cell: cell === null ? { kind: 'absent' } : inCell(cell, now),
    edge: edge ?? { kind: 'absent' },
    limits: limitsOf(row),
    name: (row.name_observed as NameRecord | null) ?? { kind: 'absent' },
  }
}

function limitsOf({ limits_observed: seen }: NamespaceRow): ObservedNamespace['limits'] {
  if (seen === null) return { kind: 'default' }
  return { kind: seen.acting ? 'acting' : 'asked', limits: seen.limits }
}

function inCell(cell: CellRecord, now: Date): ObservedNamespace['cell'] {
  if (cell.kind !== 'present') return cell
  const { kind, owner, retentionDays, aliases = {}, updatedAt } = cell
  if (updatedAt === undefined) return { kind, owner, retentionDays, aliases }
  return { kind, owner, retentionDays, aliases, sinceUpdateMs: now.getTime() - new Date(updatedAt).getTime() }
}
