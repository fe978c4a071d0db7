import type { CertificateRow } from '#libs/store/certificates'
import { answer, oneOf, string, time } from './schemas.ts'

/** A client certificate as the operator API shows it. */
export const certificateSchema = answer(
  {
    id: string,
    purpose: oneOf('tenant_client', 'operator'),
    tenantId: string,
    operatorName: { ...string, description: 'Of a certificate of the purpose `operator`.' },
    commonName: string,
    serialNumber: string,
    fingerprint: string,
    certificate: { ...string, description: 'PEM.' },
    notBefore: time,
    notAfter: time,
    issuedBy: string,
    createdAt: time,
    revokedAt: time,
    revokedBy: string,
  },
  ['tenantId', 'operatorName', 'revokedAt', 'revokedBy'],
)

export function certificateOf(row: CertificateRow) {
  return {
    id: row.id,
    purpose: row.purpose,
    ...(row.tenant_id === null ? {} : { tenantId: row.tenant_id }),
    ...(row.operator_name === null ? {} : { operatorName: row.operator_name }),
    commonName: row.common_name,
    serialNumber: row.serial_number,
    fingerprint: row.fingerprint,
    certificate: row.certificate_pem,
    notBefore: row.not_before.toISOString(),
    notAfter: row.not_after.toISOString(),
    issuedBy: row.issued_by,
    createdAt: row.created_at.toISOString(),
    ...(row.revoked_at === null ? {} : { revokedAt: row.revoked_at.toISOString() }),
    ...(row.revoked_by === null ? {} : { revokedBy: row.revoked_by }),
  }
}
