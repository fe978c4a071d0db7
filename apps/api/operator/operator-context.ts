import type { Clock } from '#libs/base'
import type { Region } from '#libs/config'
import type { PriceTable } from '#libs/domain/costs'
import type { Sealer } from '#libs/sealing'
import type { Database } from '#libs/store'
import type { Logger } from '#libs/telemetry'
import type { Mailer } from '../mail/mailer.ts'
import type { PageTokens } from '../paging/page-tokens.ts'

/** What the routes of operators work with. */
export interface OperatorContext {
  /** Connected as `aqueduct_operator`. */
  readonly database: Database
  readonly sealer: Sealer
  readonly mailer: Mailer
  /** Told when a user was invited: the mail can go out now. */
  readonly invitationMails: { wake(): void }
  readonly logger: Logger
  readonly clock: Clock
  /** Where the public API stands, without a slash at the end: invitations link to it. */
  readonly publicUrl: string
  readonly pages: PageTokens
  /** What things cost. */
  readonly prices: PriceTable
  readonly regions: readonly Region[]
  /** Versions of the Temporal server that cells can be rolled to. */
  readonly temporalVersions: readonly string[]
  /** Namespaces that a new cell takes. */
  readonly namespaceLimit: number
}
