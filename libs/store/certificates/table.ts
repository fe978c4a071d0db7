import type { Generated } from 'kysely'

export interface CertificateAuthoritiesTable {
  id: string
  purpose: 'server' | 'operator' | 'node' | 'cell' | 'tenant'
  tenant_id: string | null
  cell_id: string | null
  issuer_id: string | null
  certificate_pem: string
  key_sealed: string
  not_after: Date
  created_at: Generated<Date>
}

export interface CertificatesTable {
  id: string
  authority_id: string
  purpose: 'tenant_client' | 'operator' | 'edge_server' | 'api_server' | 'node'
  tenant_id: string | null
  namespace_id: string | null
  node_id: string | null
  operator_name: string | null
  common_name: string
  serial_number: string
  fingerprint: string
  certificate_pem: string
  key_sealed: string | null
  not_before: Date
  not_after: Date
  issued_by: string
  revoked_at: Date | null
  revoked_by: string | null
  created_at: Generated<Date>
}
