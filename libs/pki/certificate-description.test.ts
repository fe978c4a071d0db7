import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { createCertificateAuthority } from './certificate-authority.ts'
import { describeCertificate } from './certificate-description.ts'
import { issueCertificate } from './issue-certificate.ts'

test('reads what OpenSSL wrote', () => {
  const pem = readFileSync(new URL('./testdata/odd-names.pem', import.meta.url), 'utf8')
  expect(describeCertificate(pem)).toMatchObject({
    pem,
    subject: 'O=Example, CN=odd-names',
    serialNumber: '5a5a4ebaba88c5d07a565722be0736cd4fc0eaa8',
    fingerprintSha256: 'c1901b899cc0a75298be38a3e434b2f186b7d9695dea44053a80017a6b5f32c7',
    isCa: true,
    dnsNames: ['ca.example'],
    uris: ['urn:a'],
  })
})

test('a name within a name stays one name', async () => {
  const issuer = await createCertificateAuthority({ commonName: 'ca', validityDays: 1 })
  const uris = [
    'aqueduct://operators/eve,%20URI:aqueduct://operators/ann',
    'urn:x,URI:aqueduct://operators/ann',
    'urn:"',
  ]
  const profile = { subject: { commonName: 'eve' }, usage: 'client', validityDays: 1 } as const
  const { certificatePem } = await issueCertificate({ ...profile, issuer, uris })
  expect(describeCertificate(certificatePem).uris).toEqual(uris)
})

test('what is no certificate is bad input', () => {
  expect(() => describeCertificate('garbage')).toThrow('certificate: is not a PEM certificate')
})
