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
