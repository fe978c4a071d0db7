import { type CertificateAuthority, createCertificateAuthority, describeCertificate } from '#libs/pki'
import type { Sealer } from '#libs/sealing'
import type { Executor } from '#libs/store'
import { type AuthorityOwner, ensureAuthority } from '#libs/store/certificates'

const names: Readonly<Record<AuthorityOwner['purpose'], string>> = {
  server: 'Aqueduct server CA',
  operator: 'Aqueduct operator CA',
  node: 'Aqueduct node root CA',
  cell: 'Aqueduct cell CA',
  tenant: 'Aqueduct tenant CA',
}

/** Ten years: an authority outlives every leaf, and is replaced by people. */
const validityDays = 3650

export interface OpenAuthority extends CertificateAuthority {
  readonly id: string
}

/**
 * An authority with its key in the clear, made when there is none yet. A cell's is an intermediate below the node root:
 * inside a cell its own CA is trusted alone, and the discovery server trusts the nodes of every cell.
 */
export async function openAuthority(executor: Executor, sealer: Sealer, owner: AuthorityOwner): Promise<OpenAuthority> {
  const row = await ensureAuthority(executor, owner, async (id) => {
    const issuer = owner.purpose === 'cell' ? await openAuthority(executor, sealer, { purpose: 'node' }) : undefined
    const made = await createCertificateAuthority({
      commonName: `${names[owner.purpose]} ${subjectOf(owner) ?? id}`,
      validityDays: issuer === undefined ? validityDays : validityDays - 1,
      ...(issuer === undefined ? {} : { issuer }),
    })
    return {
      certificatePem: made.certificatePem,
      keySealed: sealer.seal(made.keyPem, `certificate_authorities/${id}`),
      notAfter: describeCertificate(made.certificatePem).notAfter,
      issuerId: issuer?.id,
    }
  })
  return {
    id: row.id,
    certificatePem: row.certificate_pem,
    keyPem: sealer.open(row.key_sealed, `certificate_authorities/${row.id}`).toString('utf8'),
  }
}

function subjectOf(owner: AuthorityOwner): string | undefined {
  if (owner.purpose === 'cell') return owner.cellId
  if (owner.purpose === 'tenant') return owner.tenantId
  return undefined
}
