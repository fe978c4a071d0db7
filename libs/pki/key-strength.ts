import type { KeyObject } from 'node:crypto'

const minRsaBits = 2048
/** BoringSSL verifies no larger ones. */
const maxRsaBits = 8192
const curves: ReadonlyMap<string, string> = new Map([
  ['prime256v1', 'P-256'],
  ['secp384r1', 'P-384'],
  ['secp521r1', 'P-521'],
])

/**
 * What is wrong with a public key, or undefined. Keys of clients and servers may not be P-521 or Ed25519: Envoy's
 * BoringSSL does not offer their signature schemes in its handshake (tried with 1.40: "certificate required"), whereas a
 * CA's P-521 key only signs certificates and works.
 */
export function keyProblem(key: KeyObject, holder: 'ca' | 'leaf'): string | undefined {
  const details = key.asymmetricKeyDetails ?? {}
  if (key.asymmetricKeyType === 'rsa') {
    const bits = details.modulusLength ?? 0
    if (bits < minRsaBits || bits > maxRsaBits) {
      return `has an RSA key of ${bits} bits: use ${minRsaBits} to ${maxRsaBits}`
    }
    if ((details.publicExponent ?? 0n) < 65_537n) return 'has an RSA key with an exponent below 65537: use 65537'
    return undefined
  }
  const allowed = holder === 'ca' ? 'P-256, P-384 or P-521' : 'P-256 or P-384'
  if (key.asymmetricKeyType === 'ec') {
    const curve = curves.get(details.namedCurve ?? '')
    if (curve === undefined) {
      return `has an ECDSA key on the curve ${details.namedCurve ?? '(unnamed)'}: use ${allowed}`
    }
    if (curve === 'P-521' && holder === 'leaf') {
      return `has an ECDSA key on the curve P-521, which the edge does not accept in a TLS handshake: use ${allowed}`
    }
    return undefined
  }
  return `has a key of the type ${key.asymmetricKeyType ?? 'unknown'}, which the edge does not accept: use ECDSA on ${allowed}, or RSA of ${minRsaBits} bits or more`
}
