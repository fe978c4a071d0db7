import type { Clock } from '#libs/base'
import type { Database } from '#libs/store'
import type { Logger } from '#libs/telemetry'
import type { AuditRecorder } from '../audit/audit-writer.ts'
import type { Authenticate } from '../auth/authenticator.ts'

export interface ScimDeps {
  /** As the role aqueduct_api. */
  readonly database: Database
  readonly clock: Clock
  readonly logger: Logger
  readonly authenticate: Authenticate
  readonly audit: AuditRecorder
  /** Told when a user was invited: the mail can go out now. */
  readonly invitationMails: { wake(): void }
}
