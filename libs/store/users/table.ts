import type { Generated } from 'kysely'

export interface UsersTable {
  id: string
  tenant_id: string
  email: string
  account_role: string
  /** The identity provider's own id. */
  scim_external_id: string | null
  /** Locked out by the identity provider. */
  deactivated_at: Date | null
  resource_version: Generated<number>
  created_at: Generated<Date>
  updated_at: Date | null
  deleted_at: Date | null
}

export interface UserInvitationsTable {
  id: string
  tenant_id: string
  user_id: string
  token_hash: Buffer
  expires_at: Date
  accepted_at: Date | null
  created_by: string
  created_at: Generated<Date>
  mailed_at: Generated<Date | null>
  mail_attempts: Generated<number>
  mail_due_at: Generated<Date>
}
