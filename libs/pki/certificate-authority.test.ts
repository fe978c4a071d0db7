import { X509Certificate } from 'node:crypto'
import { expect, test } from 'vitest'
import { AppError } from '#libs/base'
import { createCertificateAuthority } from './certificate-authority.ts'
import { describeCertificate } from './certificate-description.ts'
import { issueCertificate } from './issue-certificate.ts'
import { X509Certificate as LibraryCertificate } from './x509-library.ts'

const now = new Date('2030-01-01T00:00:00Z')
const year = 365 * 24 * 60 * 60 * 1000

test('a leaf of an intermediate verifies up to the root', async () => {
  const root = await createCertificateAuthority({ commonName: 'node root', validityDays: 3650, now })
  const middle = await createCertificateAuthority({
    commonName: 'cell-1',
    validityDays: 365,
    issuer: root,
    pathLength: 0,
    now,
  })
  const leaf = await issueCertificate({
    issuer: middle,
    subject: { commonName: 'node-1' },
    usage: 'both',
    validityDays: 30,
    now,
  })
  const [top, ca, end] = [root.certificatePem, middle.certificatePem, leaf.certificatePem].map(
    (pem) => new X509Certificate(pem),
  ) as [X509Certificate, X509Certificate, X509Certificate]
  expect([top.checkIssued(top), ca.checkIssued(top), end.checkIssued(ca), end.checkIssued(top)]).toEqual([
    true,
    true,
    true,
    false,
  ])
  expect([top.verify(top.publicKey), ca.verify(top.publicKey), end.verify(ca.publicKey)]).toEqual([true, true, true])
  expect([top.ca, ca.ca, end.ca]).toEqual([true, true, false])
  expect(describeCertificate(middle.certificatePem)).toMatchObject({
    subject: 'O=Aqueduct, CN=cell-1',
    issuer: 'O=Aqueduct, CN=node root',
    notBefore: new Date('2029-12-31T23:55:00Z'),
    notAfter: new Date(now.getTime() + year),
  })
})

test('constraints are critical, and key identifiers link the chain', async () => {
  const root = await createCertificateAuthority({ commonName: 'root', validityDays: 10, now })
  const middle = await createCertificateAuthority({ commonName: 'middle', validityDays: 10, issuer: root, now })
  const [above, below] = [root, middle].map((ca) => new LibraryCertificate(ca.certificatePem))
  expect(below?.getExtension('2.5.29.19')?.critical).toBe(true)
  expect(below?.getExtension('2.5.29.15')?.critical).toBe(true)
  expect(above?.getExtension('2.5.29.14')).toHaveProperty('keyId', expect.stringMatching(/^[0-9a-f]{40}$/))
  const identifier: unknown = Reflect.get(above?.getExtension('2.5.29.14') ?? {}, 'keyId')
  expect(below?.getExtension('2.5.29.35')).toHaveProperty('keyId', identifier)
})

test('an intermediate never outlives its issuer, nor begins before it', async () => {
  const root = await createCertificateAuthority({ commonName: 'root', validityDays: 10, notBefore: now, now })
  const middle = await createCertificateAuthority({ commonName: 'middle', validityDays: 99, issuer: root, now })
  const { notBefore, notAfter } = describeCertificate(root.certificatePem)
  expect(describeCertificate(middle.certificatePem)).toMatchObject({ notBefore, notAfter })
})

test('dates after 2049 are written in the longer form', async () => {
  const root = await createCertificateAuthority({ commonName: 'root', validityDays: 36_500, now })
  expect(describeCertificate(root.certificatePem).notAfter).toEqual(new Date(now.getTime() + 100 * year))
})

test('names are taken literally, whatever they mean elsewhere', async () => {
  for (const commonName of ['#0500', 'a, O=Evil', '"quoted"', 'back\\slash', 'Zoë 鍵', 'x+CN=y']) {
    const { certificatePem } = await createCertificateAuthority({ commonName, validityDays: 1, now })
    expect(describeCertificate(certificatePem).commonName).toBe(commonName)
  }
})

test('an issuer that cannot sign is refused', async () => {
  const root = await createCertificateAuthority({ commonName: 'root', validityDays: 10, pathLength: 0, now })
  const other = await createCertificateAuthority({ commonName: 'other', validityDays: 10, now })
  const leaf = await issueCertificate({
    issuer: root,
    subject: { commonName: 'x' },
    usage: 'client',
    validityDays: 1,
    now,
  })
  const sub = (issuer: typeof root, at = now) =>
    createCertificateAuthority({ commonName: 'sub', validityDays: 1, issuer, now: at })
  await expect(sub(root)).rejects.toThrow('may not issue other CAs')
  await expect(sub(leaf)).rejects.toThrow('is not a CA')
  await expect(sub({ certificatePem: other.certificatePem, keyPem: root.keyPem })).rejects.toThrow(
    'the key is not that of',
  )
  await expect(sub(other, new Date('2031-01-01'))).rejects.toThrow(/expired on 2030-01-11.*renew it/)
  await expect(sub(other, new Date('2029-01-01'))).rejects.toThrow('not valid before')
  await expect(sub(root)).rejects.toBeInstanceOf(AppError)
})

test('a bad name or lifetime is named', async () => {
  await expect(createCertificateAuthority({ commonName: ' ', validityDays: 1 })).rejects.toThrow(
    'commonName: must not be',
  )
  await expect(createCertificateAuthority({ commonName: 'x', validityDays: 0 })).rejects.toThrow(
    'validityDays: must be',
  )
})
