import type { Generated, GeneratedAlways } from 'kysely'

export interface WaitlistEntriesTable {
  id: string
  number: GeneratedAlways<number>
  email: string
  company: string
  use_case: string
  state: Generated<'waiting' | 'approved' | 'rejected'>
  decided_by: string | null
  decided_at: Date | null
  applications: Generated<number>
  created_at: Generated<Date>
}
