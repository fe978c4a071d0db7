import { X509Certificate } from 'node:crypto'
import { coerceError, invalidField } from '#libs/base'
import { writePem } from './pem.ts'

/** What a certificate says about itself. Nothing here says that it can be trusted. */
export interface CertificateDescription {
  /** This one certificate, written anew with lines of 64 characters: what BoringSSL reads whatever the original looked like. */
  readonly pem: string
  /** As `O=Aqueduct, CN=cell-1`, in the certificate's own order. */
  readonly subject: string
  /** The first CN, or '' without one. */
  readonly commonName: string
  readonly issuer: string
  /** Lower-case hex. */
  readonly serialNumber: string
  /** SHA-256 of the DER form, 64 lower-case hex digits: what Envoy calls `connection.sha256_peer_certificate_digest`. */
  readonly fingerprintSha256: string
  readonly notBefore: Date
  readonly notAfter: Date
  /** X.509 v3 with basic constraints CA:TRUE, and allowed to sign certificates. */
  readonly isCa: boolean
  readonly dnsNames: readonly string[]
  readonly uris: readonly string[]
  readonly ipAddresses: readonly string[]
  readonly emails: readonly string[]
}

/**
 * Describes the first certificate of a PEM text.
 * @throws AppError invalid on the field `certificate` when there is none.
 */
export function describeCertificate(pem: string): CertificateDescription {
  try {
    return describe(new X509Certificate(pem))
  } catch (thrown) {
    throw invalidField('certificate', `is not a PEM certificate: ${coerceError(thrown).message}`)
  }
}

export function describe(certificate: X509Certificate): CertificateDescription {
  const names = alternativeNames(certificate.subjectAltName ?? '')
  // Node leaves `subject` of the legacy form undefined for an empty subject, which its type does not say.
  const commonName: string | readonly string[] | undefined = certificate.toLegacyObject().subject?.CN
  return Object.freeze({
    pem: writePem('CERTIFICATE', certificate.raw),
    subject: oneLine(certificate.subject),
    commonName: (Array.isArray(commonName) ? commonName[0] : commonName) ?? '',
    issuer: oneLine(certificate.issuer),
    serialNumber: certificate.serialNumber.toLowerCase(),
    fingerprintSha256: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    notBefore: certificate.validFromDate,
    notAfter: certificate.validToDate,
    isCa: certificate.ca,
    dnsNames: names.get('DNS') ?? [],
    uris: names.get('URI') ?? [],
    ipAddresses: names.get('IP Address') ?? [],
    emails: names.get('email') ?? [],
  })
}

function oneLine(name: string | undefined): string {
  return (name ?? '').split('\n').join(', ')
}

/**
 * Node writes `DNS:a, URI:b`, and a value that holds a comma or a quote as a JSON string with the comma escaped
 * (CVE-2021-44532), so that a name inside a value does not become a name of its own here.
 */
function alternativeNames(text: string): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, string[]>()
  for (const [, kind = '', value = ''] of text.matchAll(/(?:^|, )([A-Za-z ]+):([^,]*)/g)) {
    const plain = value.startsWith('"') ? String(JSON.parse(value)) : value
    names.set(kind, [...(names.get(kind) ?? []), plain])
  }
  return names
}
