import { Counter, type Registry } from '#libs/telemetry'

export interface AuditMetrics {
  readonly written: Counter
  readonly folded: Counter
  readonly lost: Counter
}

/** Of all writers of a process together. */
export function auditMetrics(registry: Registry): AuditMetrics {
  const registers = [registry]
  return {
    written: new Counter({
      name: 'aqueduct_audit_refusals_written_total',
      help: 'Entries of refusals that the audit log took',
      registers,
    }),
    folded: new Counter({
      name: 'aqueduct_audit_refusals_folded_total',
      help: 'Refusals that became part of another’s entry',
      registers,
    }),
    lost: new Counter({
      name: 'aqueduct_audit_entries_lost_total',
      help: 'Entries that were dropped before the audit log took them',
      registers,
    }),
  }
}
