import type { Generated } from 'kysely'
import type { OperationState } from '#libs/domain/operations'

export interface OperationsTable {
  tenant_id: string
  id: string
  rpc: string
  request_hash: Buffer
  request: Buffer
  resource_kind: string
  resource_id: string
  generation: Generated<number>
  state: OperationState
  failure_reason: Generated<string>
  waiting_for: Generated<string>
  requested_by: string
  deadline_at: Date
  created_at: Generated<Date>
  started_at: Date | null
  finished_at: Date | null
}
