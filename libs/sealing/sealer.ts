import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto'
import { SealError } from './seal-error.ts'

const version = 'aq1'
const keyBytes = 32
const nonceBytes = 12
const tagBytes = 16
const algorithm = 'aes-256-gcm'
const sealedText = /^([a-z0-9]+)\.([0-9a-f]{8})\.([A-Za-z0-9_-]+)$/

/** Keeps secrets that stand in the database: encrypted, and bound to the place where they stand. */
export interface Sealer {
  /** Eight hex digits that name the master key without giving it away; every sealed value carries them. */
  readonly keyId: string
  /**
   * Seals a secret for one place, such as `cells/<id>/token-key`: what is copied to another row does not open there.
   * Answers `aq1.<key id>.<base64url of nonce, ciphertext, tag>`.
   */
  seal(plaintext: string | Uint8Array, where: string): string
  /** @throws SealError when the text is no sealed value, another master key sealed it, or it was altered or moved. */
  open(sealed: string, where: string): Buffer
  /**
   * A secret that every process with the master key can work out, and that is kept nowhere: 64 hex digits.
   * @param purpose what it is for; another purpose has another secret.
   */
  derive(purpose: string): string
}

/**
 * AES-256-GCM under the installation's master key. Nonces are random, which is sound for 2³² values under one key.
 * @throws Error when the key is not 32 bytes; `readMasterKey` makes one of text.
 */
export function sealer(masterKey: Buffer): Sealer {
  if (masterKey.length !== keyBytes) throw new Error(`a master key has ${keyBytes} bytes, not ${masterKey.length}`)
  const key = Buffer.from(masterKey)
  const keyId = createHmac('sha256', key).update('aqueduct master key id').digest('hex').slice(0, 8)

  return Object.freeze({
    keyId,
    seal(plaintext: string | Uint8Array, where: string): string {
      const nonce = randomBytes(nonceBytes)
      const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagBytes })
      cipher.setAAD(Buffer.from(where, 'utf8'))
      const bytes = typeof plaintext === 'string' ? Buffer.from(plaintext, 'utf8') : plaintext
      const body = Buffer.concat([nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()])
      return `${version}.${keyId}.${body.toString('base64url')}`
    },
    derive: (purpose: string) => createHmac('sha256', key).update(`aqueduct derived secret\0${purpose}`).digest('hex'),
    open(sealed: string, where: string): Buffer {
      const body = readBody(sealed, keyId, where)
      const decipher = createDecipheriv(algorithm, key, body.subarray(0, nonceBytes), { authTagLength: tagBytes })
      decipher.setAAD(Buffer.from(where, 'utf8'))
      decipher.setAuthTag(body.subarray(-tagBytes))
      try {
        return Buffer.concat([decipher.update(body.subarray(nonceBytes, -tagBytes)), decipher.final()])
      } catch {
        throw new SealError('altered', `the secret at ${where} was altered, or was sealed for another place`)
      }
    },
  })
}

function readBody(sealed: string, keyId: string, where: string): Buffer {
  const [, writtenVersion, writtenKeyId, text] = sealedText.exec(sealed) ?? []
  if (writtenVersion === undefined || writtenKeyId === undefined || text === undefined) {
    throw new SealError('malformed', `the secret at ${where} is not a sealed value`)
  }
  if (writtenVersion !== version) {
    throw new SealError(
      'malformed',
      `the secret at ${where} has the format ${writtenVersion}, and this version reads ${version}: run the version that wrote it, or a newer one`,
    )
  }
  if (writtenKeyId !== keyId) {
    throw new SealError(
      'wrong_key',
      `the secret at ${where} was sealed with master key ${writtenKeyId}, but the configured one is ${keyId}: start with the master key that this database was created with`,
    )
  }
  const body = Buffer.from(text, 'base64url')
  if (body.length < nonceBytes + tagBytes) {
    throw new SealError('malformed', `the secret at ${where} is cut short`)
  }
  return body
}
