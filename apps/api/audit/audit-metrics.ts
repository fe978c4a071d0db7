import { Counter, type Registry } from '#libs/telemetry'

export interface AuditMetrics {
  readonly written: Counter
  readonly folded: Counter
  readonly lost: Counter
}

/** Of all writers of a process together. */
export function auditMetrics(registry: Registry): AuditMetrics {
  const counter = (name: string, help: string) => new Counter({ name, help, registers: [registry] })
  return {
    written: counter('aqueduct_audit_refusals_written_total', 'Entries of refusals that the audit log took'),
    folded: counter('aqueduct_audit_refusals_folded_total', 'Refusals that became part of another’s entry'),
    lost: counter('aqueduct_audit_entries_lost_total', 'Entries that were dropped before the audit log took them'),
  }
}
