import { webcrypto } from 'node:crypto'
import { writePem } from './pem.ts'
import { Name, Pkcs10CertificateRequestGenerator } from './x509-library.ts'

/** What goes to whoever signs, and what stays with whoever asks. */
export interface NewCertificateRequest {
  /** PKCS#10, PEM. */
  readonly csrPem: string
  /** PKCS#8, PEM. */
  readonly keyPem: string
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

/** Makes an ECDSA P-256 key and a request for a certificate of it, so that the key never leaves its owner. */
export async function newCertificateRequest(commonName: string): Promise<NewCertificateRequest> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const request = await Pkcs10CertificateRequestGenerator.create({
    // As a plain string, a quoted part would be taken for the whole.
    name: new Name([{ CN: [{ utf8String: commonName }] }]).toString(),
    keys,
    signingAlgorithm: algorithm,
  })
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
  return {
    csrPem: writePem('CERTIFICATE REQUEST', Buffer.from(request.rawData)),
    keyPem: writePem('PRIVATE KEY', Buffer.from(key)),
  }
}
