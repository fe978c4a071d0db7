import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { EdgeIntent, EdgeNamespace } from '#libs/domain/edges'
import { translateEdge } from './translate.ts'

const testdata = new URL('testdata/', import.meta.url)
const update = process.env.UPDATE_GOLDENS === '1'

function read(path: string): unknown {
  return JSON.parse(readFileSync(new URL(path, testdata), 'utf8'))
}

const full = read('in/full.json') as EdgeIntent
const first = one(full.namespaces)
/** Valid in every way, but for the fraction of a second in its dates: one such, and Envoy takes up no listener at all. */
const onlyOpenSslReadsIt = readFileSync(new URL('ber-client-ca.pem', testdata), 'utf8')

function one(namespaces: readonly EdgeNamespace[]): EdgeNamespace {
  const [namespace] = namespaces
  if (namespace === undefined) throw new Error('the intent has no namespace')
  return namespace
}

/** The name of the only scope of this namespace alone. */
function scopeOf(namespace: EdgeNamespace): string | undefined {
  const document = JSON.parse(translateEdge({ ...full, namespaces: [namespace] }).text) as {
    routes: { resources: { name: string }[] }
  }
  return document.routes.resources[0]?.name
}

describe('goldens', () => {
  test.each(readdirSync(new URL('in/', testdata)))('%s', (name) => {
    const { text, version, problems } = translateEdge(read(`in/${name}`) as EdgeIntent)
    const result = `${JSON.stringify({ version, problems, document: JSON.parse(text) as unknown }, undefined, 2)}\n`
    const golden = new URL(`out/${name}`, testdata)
    if (update) writeFileSync(golden, result)
    expect(result).toBe(readFileSync(golden, 'utf8'))
  })
})

/** Names of the chains of each listener. */
function served(intent: EdgeIntent): Readonly<Record<string, readonly string[]>> {
  const { listeners } = JSON.parse(translateEdge(intent).text) as {
    listeners: { resources: { name: string; filter_chains: { name: string }[] }[] }
  }
  return Object.fromEntries(
    listeners.resources.map(({ name, filter_chains: chains }) => [name, chains.map((chain) => chain.name)]),
  )
}

test('each namespace is on the listeners that its rules open, and nowhere when they open none', () => {
  expect(served(read('in/connectivity.json') as EdgeIntent)).toEqual({
    edge: ['closed', 'both.t1', 'public.t1'],
    'edge-private': ['closed', 'both.t1', 'private.t1'],
  })
})

test('a node that only routes Nexus operations is told of frontends and its routes, and gets no key of a namespace', () => {
  const nexus = { secret: 'x', endpoints: [], callers: [] }
  const { routerText, version } = translateEdge({ ...full, nexus, frontendHttpPort: 7247 })
  const document = JSON.parse(routerText) as Record<
    'listeners' | 'routes' | 'endpoints',
    { resources: { name?: string }[] }
  >
  expect(document).toMatchObject({ version, listeners: { resources: [] } })
  expect(document.routes.resources.map(({ name }) => name)).toEqual(['nexus'])
  expect(document.endpoints.resources).toMatchObject([{ cluster_name: 'frontends' }, { cluster_name: 'frontend-http' }])
  expect(routerText).not.toContain('PRIVATE KEY')
})

describe('translation', () => {
  test('does not depend on the order of anything', () => {
    const turned: EdgeIntent = {
      ...full,
      frontends: full.frontends.toReversed(),
      namespaces: full.namespaces.toReversed().map((namespace) => ({
        ...namespace,
        writers: namespace.writers.toReversed(),
        readers: namespace.readers.toReversed(),
        revokedKeyIds: namespace.revokedKeyIds.toReversed(),
        revokedFingerprints: namespace.revokedFingerprints.toReversed(),
      })),
    }
    expect(translateEdge(turned).text).toBe(translateEdge(full).text)
  })

  const cuts: Partial<EdgeNamespace>[] = [
    { suspended: true },
    { apiKeysEnabled: false },
    { revokedKeyIds: ['key-new'] },
    { revokedFingerprints: ['b'.repeat(64)] },
    { hostname: 'elsewhere.example' },
    { reach: { isPublic: true, privateLinks: [{ provider: 'aws', connectionId: 'vpce-1' }] } },
    { reach: { isPublic: false, privateLinks: [] } },
  ]

  test.each(cuts)('what must cut connections changes the chain: %o', (change) => {
    expect(scopeOf({ ...first, ...change })).not.toBe(scopeOf(first))
  })

  const quiet: Partial<EdgeNamespace>[] = [
    { generation: 99 },
    { generation: 99, reach: { isPublic: true, privateLinks: [] } },
    { writers: [] },
    { readers: ['sa-new'] },
    { tokens: { write: 'a.b.c', read: 'd.e.f' } },
  ]

  test.each(quiet)('what must not cut connections leaves the chain as it is: %o', (change) => {
    expect(scopeOf({ ...first, ...change })).toBe(scopeOf(first))
    const changed = translateEdge({ ...full, namespaces: [{ ...first, ...change }] })
    expect(changed.version).not.toBe(translateEdge({ ...full, namespaces: [first] }).version)
  })

  test.each(['\r', '\r\n', ''])('a client CA comes to Envoy in one form, whatever ends its lines: %j', (lineEnd) => {
    const pem = (first.clientCa?.pem ?? '').replaceAll(/(?<=[^-])\n(?!-)/g, lineEnd)
    expect(scopeOf({ ...first, clientCa: { filters: first.clientCa?.filters ?? [], pem } })).toBe(scopeOf(first))
  })

  const poison: [string, Partial<EdgeNamespace>][] = [
    ['the id is not <name>.<tenant>', { id: '../../etc' }],
    ['the hostname is not one', { hostname: '*.example' }],
    ['the server key is not a private key', { serverKeyPem: 'nonsense' }],
    ['the server certificate holds no PEM certificate', { serverCertificatePem: '' }],
    ['the client CA holds no PEM certificate', { clientCa: { pem: 'nonsense', filters: [] } }],
    ['the client CA CN=edge is not a CA', { clientCa: { pem: first.serverCertificatePem, filters: [] } }],
    ['the client CA holds no PEM certificate', { clientCa: { pem: onlyOpenSslReadsIt, filters: [] } }],
    ['a namespace token is not a JWT', { tokens: { write: 'x%REQ(authorization)%', read: 'a.b.c' } }],
    ['a revoked fingerprint is not 64 lower-case hex digits', { revokedFingerprints: ['AA:BB'] }],
    ['the id of a principal or key is not printable ASCII', { writers: ['usr-\n'] }],
    [
      'a PSC connection id is a decimal number',
      { reach: { isPublic: true, privateLinks: [{ provider: 'gcp', connectionId: 'vpce-1' }] } },
    ],
    [
      'a certificate filter has no field',
      {
        clientCa: {
          pem: first.clientCa?.pem ?? '',
          filters: [{ commonName: '', organization: '', organizationalUnit: '', subjectAlternativeName: '' }],
        },
      },
    ],
  ]

  test.each(poison)('leaves out one namespace where %s', (message, change) => {
    const bad = { ...first, id: 'bad.t', hostname: 'bad.t.example', ...change }
    const { text, problems } = translateEdge({ ...full, namespaces: [bad, ...full.namespaces] })
    expect(problems).toEqual([{ namespaceId: bad.id, message }])
    expect(JSON.parse(text)).toMatchObject(JSON.parse(translateEdge(full).text) as object)
  })

  test('leaves out a second namespace of the same name or host', () => {
    const host = { ...first, id: 'zz.t' }
    const { problems } = translateEdge({
      ...full,
      namespaces: [...full.namespaces, host, { ...first, hostname: 'zz.t.example' }],
    })
    expect(problems).toEqual([
      { namespaceId: first.id, message: 'the namespace is there twice' },
      { namespaceId: 'zz.t', message: `the hostname is already that of ${first.id}` },
    ])
  })

  const unusable: [string, Partial<EdgeIntent>][] = [
    ['same issuer', { probe: { issuer: full.apiKeys.issuer, jwks: full.probe.jwks } }],
    ['not JSON', { apiKeys: { ...full.apiKeys, jwks: 'x' } }],
    ['no keys', { apiKeys: { ...full.apiKeys, jwks: '{"keys":[]}' } }],
    ['public EC keys', { apiKeys: { ...full.apiKeys, jwks: '{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}' } }],
    ['not an IP address', { frontends: [{ host: 'frontend.example', port: 7233 }] }],
    ['port', { port: 0 }],
    ['port', { privatePort: 70_000 }],
    ['same port', { privatePort: full.port }],
  ]

  test.each(unusable)('refuses the whole intent: %s', (message, change) => {
    expect(() => translateEdge({ ...full, ...change })).toThrow(message)
  })
})
