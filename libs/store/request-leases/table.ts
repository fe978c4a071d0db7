export interface RequestBucketsTable {
  tenant_id: string
  subject: string
  per_second: number
  empty_at: Date
  asked_at: Date
  granted: number
}
