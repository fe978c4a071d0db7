import { createLocalJWKSet, importJWK, jwtVerify, SignJWT } from 'jose'
import { expect, test } from 'vitest'
import { jwks, newSigningKey } from './signing-key.ts'

test('what the private key signs, the published set verifies by kid', async () => {
  const [older, newer] = [await newSigningKey(), await newSigningKey()]
  const token = await new SignJWT({ permissions: ['a:write'] })
    .setProtectedHeader({ alg: 'ES256', kid: newer.kid })
    .sign(await importJWK(newer.privateJwk, 'ES256'))
  const published = createLocalJWKSet(JSON.parse(jwks([older.publicJwk, newer.publicJwk])))
  expect((await jwtVerify(token, published)).payload).toEqual({ permissions: ['a:write'] })
  await expect(jwtVerify(token, createLocalJWKSet(JSON.parse(jwks([older.publicJwk]))))).rejects.toThrow()
})

test('a private key never gets into a JWKS', async () => {
  const key = await newSigningKey()
  expect(key.publicJwk).toEqual({
    kty: 'EC',
    crv: 'P-256',
    x: expect.any(String),
    y: expect.any(String),
    kid: key.kid,
    alg: 'ES256',
    use: 'sig',
  })
  expect(() => jwks([key.privateJwk])).toThrow('private key')
})
