import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { parseCaBundle, validateCaBundle } from './ca-bundle.ts'
import { createCertificateAuthority } from './certificate-authority.ts'
import { issueCertificate } from './issue-certificate.ts'
import { writePem } from './pem.ts'
import type { CertificateAuthority } from './sign-certificate.ts'

/** All certificates in testdata, made by OpenSSL, are valid from November 2026 to October 2126. */
const now = new Date('2030-01-01T00:00:00Z')

function made(name: string): string {
  return readFileSync(new URL(`./testdata/${name}.pem`, import.meta.url), 'utf8')
}

function problems(pem: string, at = now): readonly string[] {
  return validateCaBundle(pem, at).problems
}

let root: CertificateAuthority
let middle: CertificateAuthority
let low: CertificateAuthority
let leaf: string

beforeAll(async () => {
  root = await createCertificateAuthority({ commonName: 'root', validityDays: 30, now })
  middle = await createCertificateAuthority({ commonName: 'middle', validityDays: 20, issuer: root, now })
  low = await createCertificateAuthority({ commonName: 'low', validityDays: 10, issuer: middle, now })
  const issued = await issueCertificate({
    issuer: low,
    subject: { commonName: 'worker' },
    usage: 'client',
    validityDays: 1,
    now,
  })
  leaf = issued.certificatePem
})

// BoringSSL cannot read these, and Envoy would refuse the listeners of every tenant of the edge for one of them.
test.each(['ber-fraction-of-second', 'ber-empty-set'])('%s, which OpenSSL alone can read, is refused', (name) => {
  expect(problems(made(name))).toEqual(['certificate 1 is not a valid X.509 certificate'])
  expect(parseCaBundle(made(name)).certificates).toEqual([])
})

describe('what is accepted', () => {
  test.each(['root-rsa2048', 'root-p521', 'pss-sha256', 'odd-names'])('%s, made by OpenSSL', (name) => {
    expect(problems(made(name))).toEqual([])
  })

  test('a chain in any order', () => {
    for (const bundle of [
      [root, middle, low],
      [low, middle, root],
      [middle, low, root],
    ]) {
      const { problems: found, certificates } = validateCaBundle(bundle.map((ca) => ca.certificatePem).join(''), now)
      expect(found).toEqual([])
      expect(certificates.map((certificate) => certificate.pem)).toEqual(bundle.map((ca) => ca.certificatePem))
    }
  })

  test('other line ends, words between blocks, and lines of any length; `pem` is canonical all the same', () => {
    const oneLine = root.certificatePem.replaceAll(/(?<=[^-])\n(?!-)/g, '')
    expect(oneLine.split('\n')).toHaveLength(4)
    for (const text of [
      `subject=CN=root\n\n${root.certificatePem}`,
      root.certificatePem.replaceAll('\n', '\r\n'),
      oneLine,
    ]) {
      const { problems: found, certificates } = validateCaBundle(text, now)
      expect(found).toEqual([])
      expect(certificates[0]?.pem).toBe(root.certificatePem)
    }
  })

  test('sixteen certificates', async () => {
    const many = await Promise.all(
      Array.from({ length: 16 }, (_, index) =>
        createCertificateAuthority({ commonName: `root ${index}`, validityDays: 1, now }),
      ),
    )
    expect(problems(many.map((ca) => ca.certificatePem).join(''))).toEqual([])
  })
})

describe('what is refused', () => {
  test.each([
    ['v1', 'is X.509 version 1'],
    ['no-cert-sign', 'is not a CA certificate'],
    ['sha1', 'is signed with RSASSA-PKCS1-v1_5 and SHA-1'],
    ['pss-sha1', 'is signed with RSA-PSS and SHA-1'],
    ['rsa-1024', 'has an RSA key of 1024 bits'],
    ['p224', 'has an ECDSA key on the curve secp224r1'],
    ['ed25519', 'has a key of the type ed25519'],
    ['cross-a', 'is neither a root nor chained'],
  ])('%s', (name, message) => {
    const [first, ...others] = problems(made(name))
    expect(first).toContain(`certificate 1 (O=Example, CN=${name.replace('cross-', '')}) ${message}`)
    if (name !== 'ed25519') expect(others).toEqual([])
  })

  test('a leaf', () => {
    expect(problems(root.certificatePem + leaf)).toEqual([
      expect.stringContaining('certificate 2 (CN=worker) is not a CA certificate'),
    ])
  })

  test('an intermediate without its root, with the middle of the chain missing, and two that signed each other', () => {
    expect(problems(middle.certificatePem)).toEqual([expect.stringContaining('neither a root nor chained')])
    expect(problems(root.certificatePem + low.certificatePem)).toEqual([
      expect.stringContaining('certificate 2 (O=Aqueduct, CN=low) is neither a root nor chained'),
    ])
    expect(problems(made('cross-a') + made('cross-b'))).toHaveLength(2)
  })

  test('a root of the right name that did not sign', async () => {
    const impostor = await createCertificateAuthority({ commonName: 'root', validityDays: 30, now })
    expect(problems(impostor.certificatePem + middle.certificatePem)).toEqual([
      expect.stringContaining('neither a root nor chained'),
    ])
  })

  test('a certificate that was altered after it was signed', () => {
    const der = Buffer.from(middle.certificatePem.replaceAll(/-----.*|\n/g, ''), 'base64')
    der.write('muddle', der.indexOf('middle'))
    expect(problems(root.certificatePem + writePem('CERTIFICATE', der))).toEqual([
      expect.stringContaining('certificate 2 (O=Aqueduct, CN=muddle) is neither a root nor chained'),
    ])
  })

  test('expired and not yet valid', () => {
    expect(problems(root.certificatePem, new Date('2030-02-01'))).toEqual([
      'certificate 1 (O=Aqueduct, CN=root) expired on 2030-01-31T00:00:00.000Z',
    ])
    expect(problems(root.certificatePem, new Date('2029-12-31'))).toEqual([
      'certificate 1 (O=Aqueduct, CN=root) is not valid before 2029-12-31T23:55:00.000Z',
    ])
  })

  test('an expired bundle still reads', () => {
    const { problems: found, certificates } = parseCaBundle(root.certificatePem)
    expect(found).toEqual([])
    expect(certificates.map((certificate) => certificate.commonName)).toEqual(['root'])
  })

  test('the same twice, and two of one subject', async () => {
    const namesake = await createCertificateAuthority({ commonName: 'root', validityDays: 30, now })
    expect(problems(root.certificatePem + root.certificatePem)).toEqual([
      expect.stringContaining('is the same as certificate 1'),
    ])
    expect(problems(root.certificatePem + namesake.certificatePem)).toEqual([
      expect.stringContaining('has the subject of certificate 1'),
    ])
  })

  test('seventeen certificates, and 32 KB', () => {
    expect(problems(root.certificatePem.repeat(17))).toEqual(['holds 17 certificates: at most 16 are allowed'])
    expect(problems('x'.repeat(32 * 1024 + 1))).toEqual(['has 32769 bytes: at most 32768 are allowed'])
  })

  test('keys and other blocks', () => {
    expect(problems(root.certificatePem + root.keyPem)).toEqual([expect.stringContaining('holds a private key')])
    const crl = root.certificatePem.replaceAll('CERTIFICATE', 'X509 CRL')
    expect(problems(crl)).toEqual(['holds a X509 CRL block: only CERTIFICATE blocks are allowed'])
  })

  test.each([
    ['nothing', () => '', 'holds no PEM certificate'],
    ['words', () => 'my ca', 'holds no PEM certificate'],
    ['a damaged BEGIN', () => root.certificatePem.replace('-----BEGIN', '----BEGIN'), 'line 1 is a PEM boundary'],
    ['no END', () => root.certificatePem.replace(/-----END.*\n/, ''), 'has no END line'],
    ['no base64', () => root.certificatePem.replace('\nMI', '\n*I'), 'is not base64'],
    ['another structure', () => root.certificatePem.replace('\nMIIB', '\nMIIC'), 'is not a valid X.509 certificate'],
    [
      'cut short',
      () => root.certificatePem.replace(/\n.*\n-----END/, '\n-----END'),
      'is not a valid X.509 certificate',
    ],
  ])('garbage: %s', (_, text, message) => {
    expect(problems(text()).join('\n')).toContain(message)
  })

  test('bytes after the certificate', () => {
    const der = Buffer.from(root.certificatePem.replaceAll(/-----.*|\n/g, ''), 'base64')
    const longer = Buffer.concat([der, Buffer.from('hidden')]).toString('base64')
    expect(problems(`-----BEGIN CERTIFICATE-----\n${longer}\n-----END CERTIFICATE-----\n`)).toEqual([
      'certificate 1 is not a valid X.509 certificate',
    ])
  })
})
