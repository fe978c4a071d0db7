import { createPrivateKey, createPublicKey } from 'node:crypto'
import { expect, test } from 'vitest'
import { readCertificateRequest } from './certificate-request.ts'
import { newCertificateRequest } from './new-certificate-request.ts'

test('a new request says the name as it is, and is signed by the key that comes with it', async () => {
  const { csrPem, keyPem } = await newCertificateRequest('worker, 1 = "a"')
  const asked = await readCertificateRequest(csrPem)
  expect(asked.commonName).toBe('worker, 1 = "a"')
  const publicKey = createPublicKey(createPrivateKey(keyPem)).export({ format: 'pem', type: 'spki' })
  expect(asked.publicKeyPem).toBe(publicKey)
})

test('a request for a key that is there is signed by that key, and leaves it as it is', async () => {
  const first = await newCertificateRequest('node-1')
  const second = await newCertificateRequest('node-1', first.keyPem)
  const [one, other] = [await readCertificateRequest(first.csrPem), await readCertificateRequest(second.csrPem)]
  expect(other.publicKeyPem).toBe(one.publicKeyPem)
  const again = createPrivateKey(second.keyPem)
  expect(again.equals(createPrivateKey(first.keyPem))).toBe(true)
})
