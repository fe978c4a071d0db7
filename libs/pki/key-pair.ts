import { generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'

const generate = promisify(generateKeyPair)

/** A new ECDSA key on P-256: the one kind of key that we make. */
export async function newKeyPair(): Promise<{ readonly publicKey: KeyObject; readonly privateKey: KeyObject }> {
  return generate('ec', { namedCurve: 'P-256' })
}

/** PKCS#8 PEM, as OpenSSL, Envoy and Temporal read it. */
export function privateKeyPem(key: KeyObject): string {
  return key.export({ format: 'pem', type: 'pkcs8' }).toString()
}
