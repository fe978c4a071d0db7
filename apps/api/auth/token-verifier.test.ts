import { type CryptoKey, importJWK, SignJWT } from 'jose'
import { beforeAll, expect, test } from 'vitest'
import { systemClock } from '#libs/base'
import { jwks, newSigningKey, type SigningKey } from '#libs/pki'
import { TokenVerifier } from './token-verifier.ts'

let signingKey: SigningKey
let privateKey: CryptoKey | Uint8Array

beforeAll(async () => {
  signingKey = await newSigningKey()
  privateKey = await importJWK(signingKey.privateJwk, 'ES256')
})

function verifierOf(cacheSize?: number) {
  const reads = { count: 0 }
  const readJwks = async () => {
    reads.count += 1
    return jwks([signingKey.publicJwk])
  }
  const deps = cacheSize === undefined ? { readJwks, clock: systemClock } : { readJwks, clock: systemClock, cacheSize }
  return { reads, verifier: new TokenVerifier(deps) }
}

function sign(claims: object, header: object = {}): Promise<string> {
  const whole = { iss: 'aqueduct', aud: 'aqueduct', sub: 'usr-1', jti: 'key-1', account: 'aaaaa', ...claims }
  return new SignJWT(whole)
    .setProtectedHeader({ alg: 'ES256', kid: signingKey.kid, ...header })
    .setExpirationTime('1h')
    .sign(privateKey)
}

test('gives the ids of a good token, and reads the keys once for many', async () => {
  const { reads, verifier } = verifierOf()
  const tokens = await Promise.all(['key-1', 'key-2'].map((jti) => sign({ jti })))
  const verified = await Promise.all([...tokens, ...tokens].map((token) => verifier.verify(token)))
  expect(verified[1]).toMatchObject({ tenantId: 'aaaaa', principalId: 'usr-1', keyId: 'key-2' })
  expect(reads.count).toBe(1)
})

test.each([
  ['another issuer', { iss: 'somebody' }],
  ['another audience', { aud: 'somebody' }],
  ['no account', { account: undefined }],
  ['no key id', { jti: undefined }],
])('refuses a token of our own key with %s', async (_what, claims) => {
  await expect(verifierOf().verifier.verify(await sign(claims))).rejects.toThrow('Jwt verification fails')
})

test('invented key ids make it read the keys seldom', async () => {
  const { reads, verifier } = verifierOf()
  for (let index = 0; index < 20; index += 1) {
    const token = await sign({}, { kid: `invented-${index}` })
    await expect(verifier.verify(token)).rejects.toThrow('Jwt verification fails')
  }
  expect(reads.count).toBe(1)
})

test('forgets the token that was used least recently', async () => {
  const { verifier } = verifierOf(2)
  const [a = '', b = '', c = ''] = await Promise.all(['a', 'b', 'c'].map((jti) => sign({ jti })))
  const first = await verifier.verify(a)
  await verifier.verify(b)
  // Remembered answers are the same object.
  expect(await verifier.verify(a)).toBe(first)
  await verifier.verify(c)
  expect(await verifier.verify(a)).toBe(first)
  const again = await verifier.verify(b)
  expect(again).toMatchObject({ keyId: 'b' })
  expect(await verifier.verify(b)).toBe(again)
})
