import type { AuditInterface } from './entry.ts'

/** Nobody inserts: `append_audit_entries` does, see `append.ts`. */
export interface AuditEntriesTable {
  chain: string
  seq: number
  version: number
  emit_time: Date
  occurred_at: Date
  tenant_id: string | null
  recorded_by: string
  interface: AuditInterface
  operation: string
  principal_type: string
  principal_id: string
  principal_name: string
  credential_kind: string
  credential_id: string
  source_address: string
  target: Readonly<Record<string, string>>
  outcome: string
  reason: string
  request_id: string
  async_operation_id: string
  repeats: number
  details: Readonly<Record<string, unknown>>
  hash: Buffer
}

export interface AuditChainsTable {
  chain: string
  tenant_id: string | null
  seq: number
  hash: Buffer
  emit_time: Date
  first_seq: number
  first_previous_hash: Buffer
}
