import type { Clock } from '#libs/base'
import type { Sealer } from '#libs/sealing'
import type { Database } from '#libs/store'
import type { Logger } from '#libs/telemetry'
import type { Mailer } from '../mail/mailer.ts'
import type { PageTokens } from '../paging/page-tokens.ts'

/** What the routes of operators work with. */
export interface OperatorContext {
  readonly database: Database
  readonly sealer: Sealer
  readonly mailer: Mailer
  readonly logger: Logger
  readonly clock: Clock
  readonly publicUrl: string
  readonly pages: PageTokens
}
