import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import type { EdgeNamespace } from '#libs/domain/edges'
import { parseCaBundle } from '#libs/pki'
import { certificateBlocks } from './certificate-blocks.ts'

const id = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?\.[a-z0-9]+$/
const hostname = /^[a-z0-9]([a-z0-9-]{0,62})(\.[a-z0-9]([a-z0-9-]{0,62}))+$/
const token = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/
const fingerprint = /^[0-9a-f]{64}$/
const printable = /^[\x21-\x7e]+$/

/**
 * Finds what Envoy would refuse. It has to be found here: Envoy takes up a listener as a whole or not at all, so that one
 * namespace's broken certificate would stop the changes of every other.
 * @throws Error that says what is wrong and holds no secret.
 */
export function checkNamespace(namespace: EdgeNamespace): void {
  if (!id.test(namespace.id)) throw new Error('the id is not <name>.<tenant>')
  if (!hostname.test(namespace.hostname) || namespace.hostname.length > 253) throw new Error('the hostname is not one')
  checkServer(namespace)
  if (namespace.clientCa !== undefined) checkClientCa(namespace.clientCa.pem)
  const { write, read } = namespace.tokens
  if (!token.test(write) || !token.test(read)) throw new Error('a namespace token is not a JWT')
  if (!namespace.revokedFingerprints.every((text) => fingerprint.test(text))) {
    throw new Error('a revoked fingerprint is not 64 lower-case hex digits')
  }
  const ids = [...namespace.revokedKeyIds, ...namespace.writers, ...namespace.readers]
  if (!ids.every((text) => printable.test(text))) throw new Error('the id of a principal or key is not printable ASCII')
}

function checkServer({ serverCertificatePem, serverKeyPem }: EdgeNamespace): void {
  const [leaf] = certificates(serverCertificatePem, 'server certificate')
  let key: KeyObject
  try {
    key = createPrivateKey(serverKeyPem)
  } catch {
    throw new Error('the server key is not a private key')
  }
  if (leaf === undefined || !leaf.checkPrivateKey(key)) throw new Error('the server key is not the certificate’s')
  checkStrength(leaf.publicKey)
}

/** BoringSSL, as Envoy runs it, takes RSA keys of at least 2,048 bits and the curve P-256 for a server (P-384 and up too). */
function checkStrength(key: KeyObject): void {
  const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {}
  if (key.asymmetricKeyType === 'rsa' && (modulusLength ?? 0) >= 2048) return
  if (key.asymmetricKeyType === 'ec' && ['prime256v1', 'secp384r1', 'secp521r1'].includes(namedCurve ?? '')) return
  throw new Error('the server key is neither RSA of 2,048 bits or more nor ECDSA on P-256, P-384 or P-521')
}

/** Once more, although the API has judged it: the rules may have become stricter since, and one bad row must cost one namespace. */
function checkClientCa(pem: string): void {
  const { certificates: found, problems } = parseCaBundle(pem)
  if (found.length === 0) throw new Error('the client CA holds no PEM certificate')
  if (problems.length > 0) throw new Error(`the client CA ${problems.join('; ')}`)
  const wrong = found.find((certificate) => !certificate.isCa)
  if (wrong !== undefined) throw new Error(`the client CA ${wrong.subject} is not a CA`)
}

function certificates(pem: string, what: string): readonly X509Certificate[] {
  const blocks = certificateBlocks(pem)
  if (blocks.length === 0) throw new Error(`the ${what} holds no PEM certificate`)
  try {
    return blocks.map((block) => new X509Certificate(block))
  } catch {
    throw new Error(`the ${what} holds a certificate that cannot be read`)
  }
}
