import type { PeerCertificate } from 'node:tls'

const nodeUri = /^URI:aqueduct:\/\/cells\/([A-Za-z0-9-]+)\/nodes\/([A-Za-z0-9-]+)$/

export interface NodeIdentity {
  readonly cellId: string
  readonly nodeId: string
}

/**
 * Who a verified certificate says the node is: its one URI SAN, `aqueduct://cells/<cell>/nodes/<node>`. A certificate
 * with two of them says nothing.
 */
export function nodeIdentity(certificate: Pick<PeerCertificate, 'subjectaltname'>): NodeIdentity | undefined {
  // Node writes a name that holds a comma or a quote as a JSON string: it fits the pattern in no case.
  const uris = (certificate.subjectaltname ?? '').split(', ').filter((name) => name.startsWith('URI:'))
  const [, cellId, nodeId] = (uris.length === 1 ? nodeUri.exec(uris[0] ?? '') : null) ?? []
  return cellId === undefined || nodeId === undefined ? undefined : { cellId, nodeId }
}
