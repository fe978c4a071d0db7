import { createPublicKey, generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findLeaks } from '../../harness/leaks.ts'
import { until } from '../../harness/until.ts'
import { CloudApi } from '../cloud-api.ts'
import { code, describeThrough, outcome } from '../edge.ts'
import { alterJwt, forgeJwt, type Jwt, readJwt } from '../jwt.ts'
import { createNamespace, type Namespace } from '../namespace.ts'
import { type NodeSecrets, stealSecrets } from '../node-secrets.ts'
import { type ProductUnderTest, productCondition, productUnderTest } from '../product-under-test.ts'
import { rawCall } from '../raw-grpc.ts'
import { createKey, signUp, type Tenant } from '../tenant.ts'

let product: ProductUnderTest
let victim: Tenant
let attacker: Tenant
let target: Namespace
let secrets: NodeSecrets
/** What the attacker's own key looks like, and what the victim's would have to look like. */
let own: Jwt
let wanted: Pick<Jwt, 'header' | 'payload'>

beforeAll(async () => {
  product = await productUnderTest()
  victim = await signUp('Robbed')
  attacker = await signUp('Forger')
  target = await createNamespace(victim)
  secrets = await stealSecrets(target)
  own = readJwt(attacker.api.token)
  const payload = { ...own.payload, sub: victim.userId, jti: victim.keyId, account: victim.id }
  wanted = { header: own.header, payload }
})

afterAll(async () => {
  expect(await everywhere(victim.api.token), 'the victim works on').toEqual({ rest: 200, grpc: code.ok, edge: code.ok })
  expect(findLeaks(product.dataDirectory, (await productCondition()).output)).toEqual([])
})

/** What a token is good for: at REST, at gRPC, and at the edge of the victim's namespace. */
async function everywhere(token: string) {
  const [host = '', port] = product.addresses.grpc.split(':')
  const identity = '/temporal.api.cloud.cloudservice.v1.CloudService/GetCurrentIdentity'
  const headers = { authorization: `Bearer ${token}` }
  return {
    rest: (await new CloudApi(token).answer('GET', '/cloud/current-identity')).status,
    grpc: await outcome(rawCall({ host, port: Number(port) }, { authority: host, path: identity, headers })),
    edge: await outcome(describeThrough(target, { token })),
  }
}

const nowhere = { rest: 401, grpc: code.unauthenticated, edge: code.unauthenticated }

describe('forged tokens', () => {
  test('what is to be forged would be let in', async () => {
    expect(readJwt(victim.api.token).header).toEqual(wanted.header)
    expect(readJwt(victim.api.token).payload).toMatchObject({ sub: victim.userId, jti: victim.keyId })
    expect(own.payload).not.toHaveProperty('permissions')
  })

  test('signed with a key of one’s own, under the same key id, under none, under another', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const jwk = publicKey.export({ format: 'jwk' })
    const headers = [
      wanted.header,
      { ...wanted.header, kid: undefined },
      { ...wanted.header, kid: 'mine' },
      { ...wanted.header, kid: '../../etc/passwd' },
      { ...wanted.header, jwk },
      { ...wanted.header, jku: 'http://127.0.0.1:1/keys', x5u: 'http://127.0.0.1:1/keys' },
    ]
    for (const header of headers) {
      expect(await everywhere(forgeJwt({ ...wanted, header }, privateKey)), JSON.stringify(header)).toEqual(nowhere)
    }
  })

  test.each(['none', 'None', 'NONE', ''])('not signed at all: alg %j', async (alg) => {
    expect(await everywhere(forgeJwt({ ...wanted, header: { ...wanted.header, alg } }, ''))).toEqual(nowhere)
    expect(await everywhere(`${forgeJwt({ ...wanted, header: { ...wanted.header, alg } }, '')}x`)).toEqual(nowhere)
  })

  test('signed by HMAC with the public key', async () => {
    const keySets = secrets.apiKeySet.split('\n')
    const keys = keySets.flatMap((text) => (JSON.parse(text) as { keys: JsonWebKey[] }).keys)
    const texts = keys.flatMap((key) => {
      const object = createPublicKey({ format: 'jwk', key })
      return [
        JSON.stringify(key),
        object.export({ format: 'pem', type: 'spki' }).toString(),
        object.export({ format: 'der', type: 'spki' }).toString('latin1'),
        key.x ?? '',
      ]
    })
    const header = { ...wanted.header, alg: 'HS256' }
    for (const text of [...keySets, ...texts]) {
      expect(await everywhere(forgeJwt({ ...wanted, header }, text))).toEqual(nowhere)
    }
  })

  test('one’s own token with another’s name in it', async () => {
    const { sub, jti, account } = wanted.payload
    const token = attacker.api.token
    for (const payload of [{ sub }, { jti }, { account }, { sub, jti, account }, { exp: 4_000_000_000 }]) {
      expect(await everywhere(alterJwt(token, { payload })), JSON.stringify(payload)).toEqual(nowhere)
    }
    expect(await everywhere(alterJwt(token, { header: { alg: 'ES384' } }))).toEqual(nowhere)
  })

  test('pieces of tokens', async () => {
    const [header = '', payload = '', signature = ''] = victim.api.token.split('.')
    const pieces = [
      header,
      `${header}.${payload}`,
      `${header}.${payload}.`,
      `${header}..${signature}`,
      `${header}.${payload}.${signature}.${signature}`,
      `${header}.${payload}.${signature.slice(0, -4)}`,
      'x'.repeat(5_000),
    ]
    for (const piece of pieces) expect(await everywhere(piece), piece.slice(0, 20)).toEqual(nowhere)
  })
})

describe('foreign tokens', () => {
  test('the edge’s own tokens for the cell are no API keys', async () => {
    for (const token of Object.values(secrets.tokens)) expect(await everywhere(token)).toEqual(nowhere)
  })

  test('another tenant’s key is good at the API, for that tenant alone', async () => {
    expect(await everywhere(attacker.api.token)).toEqual({ rest: 200, grpc: code.ok, edge: code.denied })
    expect((await attacker.api.answer('GET', target.path)).status).toBe(404)
  })

  test('in other places than the header: not even looked at', async () => {
    const token = victim.api.token
    const headers = { cookie: `authorization=${token}`, 'x-api-key': token, 'grpc-authorization': `Bearer ${token}` }
    expect(await outcome(describeThrough(target, { headers }))).toBe(code.unauthenticated)
    const basic = { authorization: `Basic ${Buffer.from(`x:${token}`).toString('base64')}` }
    expect(await outcome(describeThrough(target, { headers: basic }))).toBe(code.unauthenticated)
  })
})

describe('tokens of yesterday', () => {
  test('expired and deleted ones', async () => {
    const expiring = await createKey(victim, undefined, 2_500)
    const deleted = await createKey(victim)
    await until('they work', async () => (await everywhere(deleted.token)).edge === code.ok)
    await victim.api.delete(deleted.path)
    const isRefused = async (token: string) => JSON.stringify(await everywhere(token)) === JSON.stringify(nowhere)
    await until('the deleted one is refused everywhere', () => isRefused(deleted.token), 5_000)
    // The edge allows clocks to differ by five seconds.
    await until('so is the expired one', () => isRefused(expiring.token), 10_000)
  })
})
