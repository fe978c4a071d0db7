import type { Generated, GeneratedAlways } from 'kysely'
import type { WaitlistState } from '#libs/domain/waitlist'

export interface WaitlistEntriesTable {
  id: string
  number: GeneratedAlways<number>
  email: string
  company: string
  use_case: string
  state: Generated<WaitlistState>
  decided_by: string | null
  decided_at: Date | null
  applications: Generated<number>
  created_at: Generated<Date>
}
