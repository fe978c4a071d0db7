import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { beforeAll, expect, test, vi } from 'vitest'
import { createCertificateAuthority, issueCertificate } from '#libs/pki'
import { createLogger } from '#libs/telemetry'
import { fakeDispatch } from '../transport/fixture.ts'
import { startGrpc } from '../transport/grpc.ts'
import { identityFromFiles } from './identity-from-files.ts'
import { type CertificatePair, ServerIdentity } from './server-identity.ts'

let pairs: readonly CertificatePair[]

beforeAll(async () => {
  const issuer = await createCertificateAuthority({ commonName: 'test CA', validityDays: 1 })
  const make = async (commonName: string) => {
    const leaf = await issueCertificate({
      issuer,
      subject: { commonName },
      usage: 'server',
      dnsNames: ['localhost'],
      ipAddresses: [],
      validityDays: 1,
    })
    return { certificateChain: leaf.certificatePem, key: leaf.keyPem }
  }
  pairs = [await make('first'), await make('second')]
})

function pair(index: number): CertificatePair {
  const found = pairs[index]
  if (found === undefined) throw new Error(`no pair ${index}`)
  return found
}

function shownName(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2'] }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN))
      socket.destroy()
    })
    socket.on('error', reject)
  })
}

test('a gRPC listener shows a renewed certificate to new connections', async () => {
  const identity = new ServerIdentity(pair(0))
  const server = await startGrpc({
    dispatch: fakeDispatch({}),
    listeners: [{ host: '127.0.0.1', port: 0, tls: identity }],
  })
  const port = server.ports[0] ?? 0
  try {
    expect(await shownName(port)).toBe('first')
    identity.replace(pair(1))
    expect(await shownName(port)).toBe('second')
  } finally {
    await server.stop(100)
  }
})

test('a certificate and a key that do not fit are refused, and the pair before stays', () => {
  const identity = new ServerIdentity(pair(0))
  expect(() => identity.replace({ ...pair(0), key: pair(1).key })).toThrow()
  expect(identity.key).toBe(pair(0).key)
})

test('files are read again when they change, once both fit', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'aqueduct-tls-'))
  const certificateFile = join(folder, 'cert.pem')
  const keyFile = join(folder, 'key.pem')
  const write = async ({ certificateChain, key }: CertificatePair) => {
    await writeFile(certificateFile, certificateChain)
    await writeFile(keyFile, key)
  }
  await write(pair(0))
  const watched = identityFromFiles({ certificateFile, keyFile, logger: createLogger('test', 'silent'), everyMs: 20 })
  try {
    expect(watched.identity.key).toBe(pair(0).key)
    await write(pair(1))
    await vi.waitFor(() => expect(watched.identity.key).toBe(pair(1).key), 5000)
  } finally {
    watched.stop()
    await rm(folder, { recursive: true })
  }
})
