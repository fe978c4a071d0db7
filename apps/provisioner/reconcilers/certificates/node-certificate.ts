import { newId } from '#libs/base'
import { openAuthority } from '#libs/keyring'
import { issueCertificate } from '#libs/pki'
import { findServingCertificate, recordCertificate } from '#libs/store/certificates'
import { anyCellName } from '../../cells/temporal-config.ts'
import type { CertificateDeps } from './edge-certificate.ts'
import { needsRenewal } from './needs-renewal.ts'

/** Days; renewed when a third is left. */
const validityDays = 90

export interface NodeIdentity {
  /** The leaf and the cell's CA, which is an intermediate below the node root. */
  readonly chainPem: string
  readonly leafPem: string
  readonly keyPem: string
  /** What nodes of the cell trust, and nothing else. */
  readonly cellCaPem: string
  /** Whether it was issued just now: the node's manifest has to follow. */
  readonly renewed: boolean
}

/** Every node of a cell answers to this name, so that a node may call any other. */
export function internodeName(cellId: string): string {
  return `${cellId}.internode.aqueduct.internal`
}

/** What is signed for a node, whoever made its key. */
export function nodeProfile(cellId: string, nodeId: string) {
  return {
    subject: { commonName: nodeId },
    usage: 'both',
    dnsNames: [internodeName(cellId), anyCellName],
    uris: [`aqueduct://cells/${cellId}/nodes/${nodeId}`],
    validityDays,
  } as const
}

/** Who a node is towards the other nodes of its cell and towards the discovery server. */
export async function ensureNodeCertificate(
  deps: Omit<CertificateDeps, 'domain'>,
  cellId: string,
  nodeId: string,
): Promise<NodeIdentity> {
  const { all } = deps.database
  const authority = await openAuthority(all, deps.sealer, { purpose: 'cell', cellId })
  const present = await findServingCertificate(all, { nodeId })
  if (present?.key_sealed != null && !needsRenewal(present, deps.clock.now())) {
    const keyPem = deps.sealer.open(present.key_sealed, `certificates/${present.id}`).toString('utf8')
    return identity(present.certificate_pem, keyPem, authority.certificatePem, false)
  }
  const issued = await issueCertificate({
    ...nodeProfile(cellId, nodeId),
    issuer: authority,
  })
  const id = newId('cert')
  await recordCertificate(all, {
    id,
    authorityId: authority.id,
    purpose: 'node',
    nodeId,
    commonName: nodeId,
    issued,
    keySealed: deps.sealer.seal(issued.keyPem, `certificates/${id}`),
    issuedBy: 'provisioner',
  })
  return identity(issued.certificatePem, issued.keyPem, authority.certificatePem, true)
}

function identity(leafPem: string, keyPem: string, cellCaPem: string, renewed: boolean): NodeIdentity {
  return { chainPem: leafPem + cellCaPem, leafPem, keyPem, cellCaPem, renewed }
}
