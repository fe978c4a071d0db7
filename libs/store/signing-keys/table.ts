import type { Generated, JSONColumnType } from 'kysely'

export interface SigningKeysTable {
  kid: string
  purpose: 'api_key' | 'probe' | 'cell'
  cell_id: string | null
  public_jwk: JSONColumnType<Record<string, unknown>>
  private_jwk_sealed: string
  created_at: Generated<Date>
  retired_at: Date | null
}
