import type { Generated } from 'kysely'

export interface InvitationsTable {
  id: string
  waitlist_entry_id: string
  email: string
  company: string
  token_hash: Buffer
  expires_at: Date
  accepted_at: Date | null
  tenant_id: string | null
  created_by: string
  created_at: Generated<Date>
}
