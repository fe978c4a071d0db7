import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type TLSSocket } from 'node:tls'
import { beforeAll, describe, expect, test } from 'vitest'
import { createCertificateAuthority } from './certificate-authority.ts'
import { describeCertificate } from './certificate-description.ts'
import { certifyPublicKey, issueCertificate } from './issue-certificate.ts'
import type { CertificateAuthority } from './sign-certificate.ts'

const clientAuth = '1.3.6.1.5.5.7.3.2'
const serverAuth = '1.3.6.1.5.5.7.3.1'
let root: CertificateAuthority
let middle: CertificateAuthority

beforeAll(async () => {
  root = await createCertificateAuthority({ commonName: 'root', validityDays: 30 })
  middle = await createCertificateAuthority({ commonName: 'middle', validityDays: 20, issuer: root })
})

test('the certificate says what the profile says, and the answer what the certificate says', async () => {
  const issued = await issueCertificate({
    issuer: middle,
    subject: { commonName: 'worker', organization: 'Acme', organizationalUnit: 'Payments' },
    usage: 'client',
    dnsNames: ['*.payments.example', 'a.example'],
    ipAddresses: ['127.0.0.1', '::1'],
    uris: ['aqueduct://cells/cell-1/nodes/node-1'],
    emails: ['ops@acme.example'],
    validityDays: 0.5,
  })
  const described = describeCertificate(issued.certificatePem)
  expect(described).toMatchObject({
    subject: 'O=Acme, OU=Payments, CN=worker',
    issuer: 'O=Aqueduct, CN=middle',
    commonName: 'worker',
    isCa: false,
    dnsNames: ['*.payments.example', 'a.example'],
    ipAddresses: ['127.0.0.1', '0:0:0:0:0:0:0:1'],
    uris: ['aqueduct://cells/cell-1/nodes/node-1'],
    emails: ['ops@acme.example'],
    serialNumber: issued.serialNumber,
    fingerprintSha256: issued.fingerprintSha256,
    notBefore: issued.notBefore,
    notAfter: issued.notAfter,
  })
  const certificate = new X509Certificate(issued.certificatePem)
  expect(certificate.keyUsage).toEqual([clientAuth])
  expect(certificate.checkPrivateKey(createPrivateKey(issued.keyPem))).toBe(true)
  expect(issued.keyPem).toMatch(/^-----BEGIN PRIVATE KEY-----/)
  expect(issued.fingerprintSha256).toMatch(/^[0-9a-f]{64}$/)
  const lifetime = issued.notAfter.getTime() - issued.notBefore.getTime()
  expect(Math.abs(lifetime - (12 * 60 + 5) * 60_000)).toBeLessThanOrEqual(1000)
})

test('usage decides the extended key usage, and serial numbers differ', async () => {
  const profile = { issuer: root, subject: { commonName: 'x' }, validityDays: 1 }
  const server = await issueCertificate({ ...profile, usage: 'server' })
  const both = await issueCertificate({ ...profile, usage: 'both' })
  expect(new X509Certificate(server.certificatePem).keyUsage).toEqual([serverAuth])
  expect(new X509Certificate(both.certificatePem).keyUsage).toEqual([clientAuth, serverAuth])
  expect(server.serialNumber).not.toBe(both.serialNumber)
})

test('a leaf never outlives its issuer', async () => {
  const profile = { issuer: middle, subject: { commonName: 'x' }, usage: 'client' as const }
  const end = describeCertificate(middle.certificatePem).notAfter
  expect((await issueCertificate({ ...profile, validityDays: 400 })).notAfter).toEqual(end)
  expect((await issueCertificate({ ...profile, notAfter: new Date('2999-01-01') })).notAfter).toEqual(end)
  const soon = new Date(Math.ceil(Date.now() / 1000) * 1000 + 60_000)
  expect((await issueCertificate({ ...profile, notAfter: soon })).notAfter).toEqual(soon)
})

test('every wrong field is named at once', async () => {
  const wrong = issueCertificate({
    issuer: root,
    subject: { commonName: '', organization: 'x'.repeat(65), organizationalUnit: 'a\u0000b' },
    usage: 'client',
    dnsNames: ['fine.example', 'not a name', '*.*.example', 'a..b'],
    ipAddresses: ['127.0.0.300'],
    uris: ['no-scheme', 'urn:a\nb'],
    emails: ['nobody'],
    notAfter: new Date(0),
  })
  await expect(wrong).rejects.toMatchObject({
    code: 'invalid',
    problems: [
      'subject.commonName',
      'subject.organization',
      'subject.organizationalUnit',
      'dnsNames[1]',
      'dnsNames[2]',
      'dnsNames[3]',
      'ipAddresses[0]',
      'uris[0]',
      'uris[1]',
      'emails[0]',
      'notAfter',
    ].map((field) => expect.objectContaining({ field })),
  })
})

test('a given public key is certified if it is strong enough', async () => {
  const profile = { issuer: root, subject: { commonName: 'x' }, usage: 'client' as const, validityDays: 1 }
  const spki = { type: 'spki', format: 'pem' } as const
  const good = generateKeyPairSync('ec', { namedCurve: 'P-384' })
  const publicKeyPem = good.publicKey.export(spki).toString()
  const issued = await certifyPublicKey({ ...profile, publicKeyPem })
  expect(new X509Certificate(issued.certificatePem).checkPrivateKey(good.privateKey)).toBe(true)
  expect(issued).not.toHaveProperty('keyPem')

  const weak = generateKeyPairSync('ec', { namedCurve: 'P-521' }).publicKey.export(spki).toString()
  await expect(certifyPublicKey({ ...profile, publicKeyPem: weak })).rejects.toThrow(
    'publicKey: has an ECDSA key on the curve P-521',
  )
  for (const text of ['', root.keyPem, root.certificatePem]) {
    await expect(certifyPublicKey({ ...profile, publicKeyPem: text })).rejects.toThrow(
      'publicKey: is not a PEM public key',
    )
  }
})

describe('a TLS handshake with client certificates', () => {
  /** The client's URI as the server saw it, or the code of the error. */
  async function handshake(client: { cert?: string; key?: string }, hostname = '127.0.0.1'): Promise<string> {
    const served = await issueCertificate({
      issuer: middle,
      subject: { commonName: 'server' },
      usage: 'server',
      ipAddresses: ['127.0.0.1'],
      dnsNames: ['edge.example'],
      validityDays: 1,
    })
    const server = createServer({
      cert: served.certificatePem + middle.certificatePem,
      key: served.keyPem,
      ca: root.certificatePem,
      requestCert: true,
      // The server tells why it would refuse, since a refused client sees no more than a reset.
      rejectUnauthorized: false,
    })
    server.on('secureConnection', (socket: TLSSocket) => {
      const { authorized, authorizationError } = socket
      // A client that refuses the server resets the connection.
      socket.on('error', () => socket.destroy())
      socket.end(authorized ? (socket.getPeerX509Certificate()?.subjectAltName ?? '') : String(authorizationError))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const socket = connect({
      host: '127.0.0.1',
      port,
      ca: root.certificatePem,
      servername: hostname === '127.0.0.1' ? '' : hostname,
      ...client,
    })
    let [answer, refusal] = ['', '']
    socket.on('data', (data) => {
      answer += data.toString()
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      refusal = error.code ?? error.message
    })
    try {
      await new Promise((resolve) => socket.once('close', resolve))
      return answer || refusal
    } finally {
      socket.destroy()
      server.close()
      await once(server, 'close')
    }
  }

  const profile = { subject: { commonName: 'c' }, uris: ['aqueduct://operators/ann'], validityDays: 1 }

  test('succeeds over an intermediate, by address and by name', async () => {
    const issued = await issueCertificate({ ...profile, issuer: middle, usage: 'client' })
    const identity = { cert: issued.certificatePem + middle.certificatePem, key: issued.keyPem }
    expect(await handshake(identity)).toBe('URI:aqueduct://operators/ann')
    expect(await handshake(identity, 'edge.example')).toBe('URI:aqueduct://operators/ann')
    expect(await handshake(identity, 'other.example')).toBe('ERR_TLS_CERT_ALTNAME_INVALID')
  })

  test("fails for a server certificate in a client's hand, another CA, and none", async () => {
    const server = await issueCertificate({ ...profile, issuer: root, usage: 'server' })
    expect(await handshake({ cert: server.certificatePem, key: server.keyPem })).toBe('INVALID_PURPOSE')
    const other = await createCertificateAuthority({ commonName: 'root', validityDays: 1 })
    const foreign = await issueCertificate({ ...profile, issuer: other, usage: 'client' })
    expect(await handshake({ cert: foreign.certificatePem, key: foreign.keyPem })).toBe(
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    )
    expect(await handshake({})).toBe('UNABLE_TO_GET_ISSUER_CERT')
  })
})
