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
type AlternativeNames = { readonly type: 'dns' | 'url' | 'email' | 'ip' | 'upn'; readonly value: string }[]

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
  dumped: [{ ...none, commonName: '*ed' }],
  number: [{ ...none, commonName: '#030400616263' }],
  ends: [
    { ...none, commonName: 'a *' },
    { ...none, organization: '* b' },
  ],
  emoji: [{ ...none, organization: '🦫*' }],
  sharp: [{ ...none, commonName: 'straße' }],
  kelvin: [{ ...none, subjectAlternativeName: 'worker.acme' }],
  latin: [{ ...none, commonName: 'kiss' }],
  sansuffix: [{ ...none, subjectAlternativeName: '*.acme' }],
  ip: [{ ...none, subjectAlternativeName: '10.1.2.3' }],
  ip6: [{ ...none, subjectAlternativeName: '2001:db8::1' }],
  quoted: [{ ...none, organization: '"Acme" (x|y) [z] {1} ^$ \\ \\d .' }],
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

/** Object identifiers, in DER. */
const commonName = '0603550403'
const serialNumber = '0603550405'
const title = '060355040c'

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const size = length < 128 ? Buffer.of(length) : Buffer.of(0x82, length >> 8, length & 0xff)
  return Buffer.concat([Buffer.of(tag), size, content])
}

/** A name of one attribute an RDN, each with a string type of its own choice. */
function raw(...attributes: readonly (readonly [oid: string, tag: number, value: Uint8Array])[]): Subject {
  const rdns = attributes.map(([oid, tag, value]) => der(0x31, der(0x30, Buffer.from(oid, 'hex'), der(tag, value))))
  return new Uint8Array(der(0x30, ...rdns)).buffer
}

/** Each byte as a character, which is how it goes into an IA5String. */
const utf8 = (text: string): string => Buffer.from(text).toString('latin1')
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
  ['cn', 'one of two', [...cnList('x'), ...cnList('worker')], [], true],
  ['cn', 'none of two', [...cnList('work'), ...cnList('er')], [], false],
  ['cn', 'two in one RDN', [{ CN: [{ utf8String: 'x' }, { utf8String: 'worker' }] }], [], true],
  ['cn', 'in 16 bits a letter', [{ CN: [{ bmpString: 'worker' }] }], [], true],
  ['cn', 'in Teletex letters', raw([commonName, 0x14, Buffer.from('worker')]), [], true],
  ['cn', 'with a NUL behind', cn('worker\0'), [], false],
  ['cn', 'with a NUL and more behind', cn('worker\0.evil'), [], false],
  ['cn', 'behind a NUL', cn('x\0,CN=worker'), [], false],
  ['cn', 'with a space behind', cn('worker '), [], false],
  ['cn', 'as bytes that are no text', raw([commonName, 0x03, Buffer.from('\0worker')]), [], false],
  ['cn', 'in an attribute that nobody knows', raw(['060455044101', 0x0c, Buffer.from('worker')]), [], false],
  [
    'cn',
    'in the title, a serial number, a domain component',
    raw([title, 0x0c, Buffer.from('CN=worker')], [serialNumber, 0x13, Buffer.from('worker')]),
    [],
    false,
  ],
  ['cn', 'in capitals that only look so', cn('wor\u212Aer'), [], false],
  ['cn', 'in letters that only look so', cn('w\u043erker'), [], false],
  ['cn', 'in a name of 60,000 letters', cn(`${'x'.repeat(60_000)},CN=worker`), [], false],
  ['prefix', 'of 20,000 letters', cn(`worker-${'x'.repeat(20_000)}`), [], true],
  ['dumped', 'a text that ends so', cn('red'), [], true],
  ['dumped', 'bytes that are written so', raw([commonName, 0x03, Buffer.from('00abed', 'hex')]), [], false],
  ['dumped', 'a text that looks like such bytes', cn('#030300ABED'), [], true],
  ['number', 'the text', cn('#030400616263'), [], true],
  ['number', 'bytes that are written so', raw([commonName, 0x03, Buffer.from('\0abc')]), [], false],
  ['anyone', 'bytes that are no text', raw([commonName, 0x03, Buffer.from('\0abc')]), [], false],
  ['ends', 'nothing behind the space', cn('a '), [], true],
  ['ends', 'something behind the space', cn('A b'), [], true],
  ['ends', 'a backslash before the space', cn('a\\ b'), [], false],
  ['ends', 'nothing before the space', [{ O: [{ utf8String: ' b' }] }], [], true],
  ['ends', 'something before the space', [{ O: [{ utf8String: 'x\\ b' }] }], [], true],
  ['ends', 'no space', [{ O: [{ utf8String: 'b' }] }, ...cnList('a')], [], false],
  ['emoji', 'the same', [{ O: [{ utf8String: '🦫 and son' }] }], [], true],
  ['emoji', 'half of it', [{ O: [{ utf8String: '\u{1F9A9}' }] }], [], false],
  ['sharp', 'written with two letters, in capitals', cn('STRASSE'), [], true],
  ['sharp', 'another', cn('strase'), [], false],
  ['org', 'empty', [{ O: [{ utf8String: '' }] }, ...cnList('x')], [], false],
  ['org', 'a part of it', [{ O: [{ utf8String: 'Acme, Inc.' }] }], [], false],
  ['latin', 'letters that only match in Unicode', cn('\u212Ai\u017F\u017F'), [], false],
  ['kelvin', 'the same', cn('x'), [{ type: 'dns', value: 'WORKER.acme' }], true],
  ['kelvin', 'letters that only match in Unicode', cn('x'), [{ type: 'dns', value: utf8('wor\u212Aer.acme') }], false],
  ['kelvin', 'the same in a URI', cn('x'), [{ type: 'url', value: utf8('wor\u212Aer.acme') }], false],
  ['kelvin', 'with a NUL behind', cn('x'), [{ type: 'dns', value: 'worker.acme\0.evil' }], false],
  ['kelvin', 'only a NUL behind', cn('x'), [{ type: 'dns', value: 'worker.acme\0' }], false],
  ['kelvin', 'a line behind', cn('x'), [{ type: 'dns', value: 'worker.acme\n' }], false],
  ['kelvin', 'a wildcard that would cover it', cn('x'), [{ type: 'dns', value: '*.acme' }], false],
  ['kelvin', 'a dot behind', cn('x'), [{ type: 'dns', value: 'worker.acme.' }], false],
  ['kelvin', 'a user principal name', cn('x'), [{ type: 'upn', value: 'worker.acme' }], false],
  ['sansuffix', 'ends so', cn('x'), [{ type: 'dns', value: 'a.b.acme' }], true],
  ['sansuffix', 'the wildcard itself', cn('x'), [{ type: 'dns', value: '*.acme' }], true],
  ['sansuffix', 'ends otherwise', cn('x'), [{ type: 'dns', value: 'a.acme.evil' }], false],
  ['sansuffix', 'a NUL before it', cn('x'), [{ type: 'dns', value: 'evil\0.acme' }], true],
  ['ip', 'the same', cn('x'), [{ type: 'ip', value: '10.1.2.3' }], true],
  ['ip', 'another', cn('x'), [{ type: 'ip', value: '10.1.2.30' }], false],
  ['ip', 'as a name', cn('x'), [{ type: 'dns', value: '10.1.2.3' }], true],
  ['ip6', 'the same', cn('x'), [{ type: 'ip', value: '2001:db8::1' }], true],
  ['quoted', 'the text', [{ O: [{ utf8String: '"ACME" (x|y) [z] {1} ^$ \\ \\d .' }] }], [], true],
  ['quoted', 'another', [{ O: [{ utf8String: '"ACME" (x|y) [z] {1} ^$ \\ 5 .' }] }], [], false],
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
