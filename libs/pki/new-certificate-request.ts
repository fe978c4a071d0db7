import { createPrivateKey, createPublicKey, webcrypto } from 'node:crypto'
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

/**
 * Makes an ECDSA P-256 key and a request for a certificate of it, so that the key never leaves its owner.
 * @param keyPem asks for a certificate of this key instead, an earlier call's.
 */
export async function newCertificateRequest(commonName: string, keyPem?: string): Promise<NewCertificateRequest> {
  const keys = keyPem === undefined ? await newKeys() : await importKeys(keyPem)
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

type Keys = { readonly privateKey: webcrypto.CryptoKey; readonly publicKey: webcrypto.CryptoKey }

function newKeys(): Promise<Keys> {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
}

async function importKeys(keyPem: string): Promise<Keys> {
  const key = createPrivateKey(keyPem)
  const pkcs8 = key.export({ format: 'der', type: 'pkcs8' })
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' })
  return {
    privateKey: await webcrypto.subtle.importKey('pkcs8', pkcs8, algorithm, true, ['sign']),
    publicKey: await webcrypto.subtle.importKey('spki', spki, algorithm, true, ['verify']),
  }
}
