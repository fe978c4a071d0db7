import { readFileSync } from 'node:fs'
import { beforeAll, expect, test } from 'vitest'
import { createCertificateAuthority } from './certificate-authority.ts'
import { describeCertificate } from './certificate-description.ts'
import { issueFromCsr, readCertificateRequest } from './certificate-request.ts'
import { writePem } from './pem.ts'
import type { CertificateAuthority } from './sign-certificate.ts'

let issuer: CertificateAuthority

beforeAll(async () => {
  issuer = await createCertificateAuthority({ commonName: 'operators', validityDays: 30 })
})

function asked(name: string): string {
  return readFileSync(new URL(`./testdata/csr-${name}.csr`, import.meta.url), 'utf8')
}

test('names come from the profile, never from the request', async () => {
  const issued = await issueFromCsr({
    csrPem: asked('p256'),
    issuer,
    subject: { commonName: 'ann' },
    usage: 'client',
    uris: ['aqueduct://operators/ann'],
    validityDays: 1,
  })
  expect(describeCertificate(issued.certificatePem)).toMatchObject({
    subject: 'CN=ann',
    uris: ['aqueduct://operators/ann'],
    dnsNames: [],
    isCa: false,
  })
  expect(issued).not.toHaveProperty('keyPem')
})

test('the common name of the request is taken where the profile has none', async () => {
  const profile = { issuer, subject: { organization: 'Acme' }, usage: 'client' as const, validityDays: 1 }
  const issued = await issueFromCsr({ ...profile, csrPem: asked('rsa2048') })
  expect(describeCertificate(issued.certificatePem)).toMatchObject({ subject: 'O=Acme, CN=csr-rsa2048', uris: [] })
  await expect(issueFromCsr({ ...profile, csrPem: asked('no-name') })).rejects.toThrow(
    'csr: its common name must not be empty',
  )
})

test.each([
  ['rsa1024', 'RSA key of 1024 bits'],
  ['p521', 'the curve P-521, which the edge does not accept'],
  ['ed25519', 'a key of the type ed25519, which the edge does not accept'],
])('a key that the edge would refuse: %s', async (name, message) => {
  await expect(readCertificateRequest(asked(name))).rejects.toThrow(message)
})

test('a request that its own key did not sign', async () => {
  const der = Buffer.from(asked('p256').replaceAll(/-----.*|\n/g, ''), 'base64')
  const name = der.indexOf('csr-p256')
  der.write('csr-p257', name)
  await expect(readCertificateRequest(writePem('CERTIFICATE REQUEST', der))).rejects.toThrow(
    'csr: is not signed by its own key',
  )
})

test.each([
  ['nothing', () => '', 'must be one PEM certificate request'],
  ['two', () => asked('p256').repeat(2), 'must be one PEM certificate request'],
  ['a certificate', () => issuer.certificatePem, 'must be one PEM certificate request'],
  ['a private key beside it', () => asked('p256') + issuer.keyPem, 'holds a private key'],
  ['another structure', () => writePem('CERTIFICATE REQUEST', Buffer.from('0500', 'hex')), 'is not a valid PKCS#10'],
  ['too much', () => 'x'.repeat(20_000), 'has more than 16384 bytes'],
])('what is no request: %s', async (_, text, message) => {
  await expect(readCertificateRequest(text())).rejects.toThrow(`csr: ${message}`)
})
