import { webcrypto } from 'node:crypto'
import 'reflect-metadata'
import {
  ExtendedKeyUsageExtension,
  Name,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CertificateFilter, EdgeNamespace } from '#libs/domain/edges'
import { type CertificateAuthority, createCertificateAuthority } from '#libs/pki'
import type { Identity } from './edge-client.ts'
import { EdgeFixture } from './edge-fixture.ts'

type Subject = ConstructorParameters<typeof Name>[0]
type AlternativeNames = { readonly type: 'dns' | 'url' | 'email'; readonly value: string }[]

const none: CertificateFilter = { commonName: '', organization: '', organizationalUnit: '', subjectAlternativeName: '' }
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const mismatch = 'the client certificate matches none of the certificate filters of this namespace'

/** One namespace a set of filters, so that Envoy is told once. */
const sets = {
  cn: [{ ...none, commonName: 'worker' }],
  prefix: [{ ...none, commonName: 'worker-*' }],
  suffix: [{ ...none, commonName: '*.acme' }],
  anyone: [{ ...none, commonName: '*' }],
  org: [{ ...none, organization: 'Acme, Inc' }],
  unit: [{ ...none, organizationalUnit: 'Blue' }],
  every: [
    {
      ...none,
      commonName: 'worker',
      organization: 'Acme',
      organizationalUnit: 'Blue',
      subjectAlternativeName: 'w.acme',
    },
  ],
  either: [
    { ...none, commonName: 'worker' },
    { ...none, organization: 'Acme' },
  ],
  san: [{ ...none, subjectAlternativeName: 'W.acme' }],
  sanprefix: [{ ...none, subjectAlternativeName: 'spiffe://acme/*' }],
  special: [{ ...none, commonName: ' #a+b\\"<c>;=d ' }],
  umlaut: [{ ...none, commonName: 'müller' }],
  hex: [{ ...none, commonName: '*c' }],
  pattern: [{ ...none, commonName: 'a.c' }],
} as const satisfies Record<string, readonly CertificateFilter[]>

let edge: EdgeFixture
let ca: CertificateAuthority
let namespaces: Record<string, EdgeNamespace>

beforeAll(async () => {
  edge = await EdgeFixture.start()
  ca = await createCertificateAuthority({ commonName: 'Tenant', validityDays: 30 })
  namespaces = Object.fromEntries(
    Object.entries(sets).map(([name, filters]) => [
      name,
      edge.namespace(`${name}.t`, { clientCa: { pem: ca.certificatePem, filters } }),
    ]),
  )
  await edge.apply(Object.values(namespaces))
})

afterAll(() => edge.close())

const cn = (value: string): Subject => [{ CN: [{ utf8String: value }] }]

const cases: [keyof typeof sets, string, Subject, AlternativeNames, boolean][] = [
  ['cn', 'the same', cn('worker'), [], true],
  ['cn', 'other letters', cn('WoRKer'), [], true],
  ['cn', 'more before', cn('xworker'), [], false],
  ['cn', 'more after', cn('worker2'), [], false],
  ['cn', 'no subject', [], [{ type: 'dns', value: 'worker' }], false],
  ['cn', 'in another attribute', [{ O: [{ utf8String: 'worker' }] }, ...cnList('x')], [], false],
  ['cn', 'injected behind a comma', [{ O: [{ utf8String: 'x,CN=worker' }] }, ...cnList('x')], [], false],
  ['cn', 'injected before a comma', [{ O: [{ utf8String: 'CN=worker,x' }] }, ...cnList('x')], [], false],
  ['cn', 'injected behind a plus', [{ O: [{ utf8String: 'x+CN=worker' }] }, ...cnList('x')], [], false],
  [
    'cn',
    'injected behind a backslash',
    [{ O: [{ utf8String: 'x\\' }] }, { OU: [{ utf8String: '\\,CN=worker' }] }, ...cnList('x')],
    [],
    false,
  ],
  ['cn', 'injected behind a line', [{ O: [{ utf8String: 'x\n,CN=worker' }] }, ...cnList('x')], [], false],
  ['cn', 'an injection in the value itself', cn('worker,O=evil'), [], false],
  ['cn', 'in an RDN of two', [{ OU: [{ utf8String: 'a' }], CN: [{ utf8String: 'worker' }] }], [], true],
  ['cn', 'first of several', [{ CN: [{ utf8String: 'worker' }] }, { O: [{ utf8String: 'Acme' }] }], [], true],
  ['cn', 'last of several', [{ O: [{ utf8String: 'a\\' }] }, { CN: [{ utf8String: 'worker' }] }], [], true],
  ['cn', 'as a printable string', [{ CN: [{ printableString: 'worker' }] }], [], true],
  ['prefix', 'begins so', cn('worker-1, of many'), [], true],
  ['prefix', 'begins otherwise', cn('my-worker-1'), [], false],
  ['prefix', 'nothing behind', cn('worker-'), [], true],
  ['suffix', 'ends so', cn('a,b.acme'), [], true],
  ['suffix', 'ends otherwise', cn('b.acme.evil'), [], false],
  ['suffix', 'the dot is a dot', cn('bxacme'), [], false],
  ['anyone', 'has one', cn('x'), [], true],
  ['anyone', 'has none', [{ O: [{ utf8String: 'Acme' }] }], [], false],
  ['org', 'with a comma', [{ O: [{ utf8String: 'acme, inc' }] }, ...cnList('x')], [], true],
  ['org', 'cut at the comma', [{ O: [{ utf8String: 'Acme' }] }, ...cnList('Inc')], [], false],
  ['org', 'an O inside OU', [{ OU: [{ utf8String: 'Acme, Inc' }] }], [], false],
  ['unit', 'one of two', [{ OU: [{ utf8String: 'Red' }] }, { OU: [{ utf8String: 'blue' }] }], [], true],
  ['unit', 'both in one RDN', [{ OU: [{ utf8String: 'Red' }, { utf8String: 'Blue' }] }], [], true],
  ['every', 'all', everyName('worker', 'Acme', 'Blue'), [{ type: 'dns', value: 'w.acme' }], true],
  ['every', 'all but one', everyName('worker', 'Acme', 'Red'), [{ type: 'dns', value: 'w.acme' }], false],
  ['every', 'all but the alternative name', everyName('worker', 'Acme', 'Blue'), [], false],
  ['either', 'the second', [{ O: [{ utf8String: 'Acme' }] }], [], true],
  ['either', 'neither', [{ O: [{ utf8String: 'Evil' }] }], [], false],
  ['san', 'a DNS name', cn('x'), [{ type: 'dns', value: 'w.ACME' }], true],
  [
    'san',
    'the second DNS name',
    cn('x'),
    [
      { type: 'dns', value: 'a' },
      { type: 'dns', value: 'w.acme' },
    ],
    true,
  ],
  [
    'san',
    'behind a URI',
    cn('x'),
    [
      { type: 'url', value: 'spiffe://x' },
      { type: 'dns', value: 'w.acme' },
    ],
    true,
  ],
  ['san', 'an e-mail address', cn('x'), [{ type: 'email', value: 'w.acme' }], true],
  ['san', 'a URI with a comma', cn('x'), [{ type: 'url', value: 'spiffe://x,w.acme' }], false],
  ['san', 'a common name is none', cn('w.acme'), [], false],
  ['san', 'the dot is a dot', cn('x'), [{ type: 'dns', value: 'wxacme' }], false],
  ['sanprefix', 'begins so', cn('x'), [{ type: 'url', value: 'spiffe://acme/a/b' }], true],
  ['sanprefix', 'begins otherwise', cn('x'), [{ type: 'url', value: 'spiffe://evil/spiffe://acme/' }], false],
  ['special', 'every special character', cn(' #a+b\\"<c>;=d '), [], true],
  ['special', 'one of them missing', cn('#a+b\\"<c>;=d '), [], false],
  ['umlaut', 'the same', cn('müller'), [], true],
  ['umlaut', 'the other case', cn('MÜLLER'), [], true],
  ['umlaut', 'another letter', cn('möller'), [], false],
  ['hex', 'a letter at the end', cn('abc'), [], true],
  ['hex', 'a byte that is written so', cn('aü'), [], false],
  ['pattern', 'the text', cn('a.c'), [], true],
  ['pattern', 'what the pattern would match', cn('abc'), [], false],
]

describe('certificate filters', () => {
  test.each(cases)('%s: %s', async (name, _what, subject, alternativeNames, passes) => {
    const identity = await issue(subject, alternativeNames)
    const reply = await edge.call(namespaces[name] ?? edge.namespace('none.t'), { identity })
    expect(reply).toMatchObject(passes ? { grpcStatus: 0 } : { grpcStatus: 7, message: mismatch })
  })

  test('do not concern who has a good API key, and do not help who has a bad one', async () => {
    const namespace = namespaces.cn ?? edge.namespace('none.t')
    const identity = await issue(cn('somebody'), [])
    expect(await edge.call(namespace, { identity, token: await edge.apiKey() })).toMatchObject({ grpcStatus: 0 })
    expect(await edge.call(namespace, { identity, token: 'a.b.c' })).toMatchObject({ grpcStatus: 16 })
    expect(await edge.call(namespace, { token: await edge.apiKey() })).toMatchObject({ grpcStatus: 0 })
    expect(await edge.call(namespace)).toMatchObject({ grpcStatus: 16 })
    const headers = { 'x-aqueduct-subject': 'CN=worker', 'x-principal': 'usr-writer' }
    expect(await edge.call(namespace, { identity, headers })).toMatchObject({ grpcStatus: 7, message: mismatch })
  })
})

function cnList(value: string): { CN: { utf8String: string }[] }[] {
  return [{ CN: [{ utf8String: value }] }]
}

function everyName(commonName: string, organization: string, unit: string): Subject {
  return [{ O: [{ utf8String: organization }] }, { OU: [{ utf8String: unit }] }, { CN: [{ utf8String: commonName }] }]
}

/** A client certificate with any subject at all, which `#libs/pki` would refuse to make. */
async function issue(subject: Subject, alternativeNames: AlternativeNames): Promise<Identity> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const issuer = new X509Certificate(ca.certificatePem)
  const issuerKey = PemConverter.decode(ca.keyPem)[0] ?? new ArrayBuffer(0)
  const certificate = await X509CertificateGenerator.create(
    {
      subject: new Name(subject),
      issuer: issuer.subjectName,
      publicKey: keys.publicKey,
      signingKey: await webcrypto.subtle.importKey('pkcs8', issuerKey, algorithm, false, ['sign']),
      signingAlgorithm: algorithm,
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + 3_600_000),
      extensions: [
        new ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.2']),
        ...(alternativeNames.length === 0 ? [] : [new SubjectAlternativeNameExtension(alternativeNames)]),
      ],
    },
    webcrypto,
  )
  const keyPem = PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY')
  return { certificatePem: certificate.toString('pem'), keyPem }
}
