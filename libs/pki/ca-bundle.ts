import { X509Certificate } from 'node:crypto'
import { type CertificateDescription, describe } from './certificate-description.ts'
import { keyProblem } from './key-strength.ts'
import { readPem } from './pem.ts'
import { isStrictDer } from './strict-der.ts'
import { X509Certificate as LibraryCertificate } from './x509-library.ts'

const maxBytes = 32 * 1024
const maxCertificates = 16
const strongHashes = new Set(['SHA-256', 'SHA-384', 'SHA-512'])

/** A bundle is good when `problems` is empty. The caller keeps its own bytes: clients compare them. */
export interface CaBundle {
  /** One sentence each, without a field path. */
  readonly problems: readonly string[]
  /** Those that could be read, in the order of the text. Give the edge `pem` of these, never the caller's text. */
  readonly certificates: readonly CertificateDescription[]
}

interface Member {
  /** How messages name it: `certificate 2 (CN=x)`. */
  readonly title: string
  readonly certificate: X509Certificate
  readonly description: CertificateDescription
}

/** Reads a bundle without judging its certificates: for those that were accepted once, and may have expired since. */
export function parseCaBundle(pem: string): CaBundle {
  const { problems, members } = readMembers(pem)
  return { problems, certificates: members.map((member) => member.description) }
}

/**
 * Checks what a tenant gives as client CA against the contract's rules (Cloud Ops API: at most 16 certificates and
 * 32 KB, X.509 v3, CA:TRUE, each a root or chained to one in the bundle, SHA-256 or stronger, RSA or ECDSA, unique
 * subjects, valid now). Names every problem at once.
 */
export function validateCaBundle(pem: string, now: Date): CaBundle {
  const { problems, members } = readMembers(pem)
  const found = [...problems]
  const sound: Member[] = []
  for (const member of members) {
    const own = certificateProblems(member, now)
    found.push(...own.map((problem) => `${member.title} ${problem}`))
    if (own.length === 0) sound.push(member)
  }
  found.push(...repetitions(members))
  const chained = chainedToRoot(members)
  for (const member of sound) {
    if (!chained.has(member)) {
      found.push(
        `${member.title} is neither a root nor chained to a root in the bundle: add the certificates of its issuers, up to the root`,
      )
    }
  }
  return { problems: found, certificates: members.map((member) => member.description) }
}

function readMembers(pem: string): { readonly problems: readonly string[]; readonly members: readonly Member[] } {
  const bytes = Buffer.byteLength(pem)
  if (bytes > maxBytes) return { problems: [`has ${bytes} bytes: at most ${maxBytes} are allowed`], members: [] }
  const { blocks, problems } = readPem(pem)
  if (blocks.length > maxCertificates) {
    return { problems: [`holds ${blocks.length} certificates: at most ${maxCertificates} are allowed`], members: [] }
  }
  const found = [...problems]
  const members: Member[] = []
  for (const [index, block] of blocks.entries()) {
    const certificate = block.label === 'CERTIFICATE' ? readCertificate(block.der) : undefined
    if (certificate !== undefined) {
      const description = describe(certificate)
      members.push({ title: `certificate ${index + 1} (${description.subject})`, certificate, description })
    } else if (block.label === 'CERTIFICATE') {
      found.push(`certificate ${index + 1} is not a valid X.509 certificate`)
    } else {
      found.push(
        block.label.includes('PRIVATE KEY')
          ? 'holds a private key: give certificates only, and replace that key, since it has been sent over the network'
          : `holds a ${block.label} block: only CERTIFICATE blocks are allowed`,
      )
    }
  }
  if (blocks.length === 0 && problems.length === 0) found.push('holds no PEM certificate (-----BEGIN CERTIFICATE-----)')
  return { problems: found, members }
}

/** Undefined as well when one of three readers refuses: a certificate that only some can read must not reach the edge. */
function readCertificate(der: Buffer): X509Certificate | undefined {
  if (!isStrictDer(der)) return undefined
  try {
    const certificate = new X509Certificate(der)
    // OpenSSL skips bytes after the certificate; and it reads the key only when asked.
    if (certificate.raw.length !== der.length || certificate.publicKey.asymmetricKeyType === undefined) return undefined
    return new LibraryCertificate(der).serialNumber === '' ? undefined : certificate
  } catch {
    return undefined
  }
}

function certificateProblems({ certificate, description }: Member, now: Date): string[] {
  const problems: string[] = []
  const version = versionOf(certificate.raw)
  if (version !== 3) problems.push(`is X.509 version ${version}: only version 3 is allowed`)
  else if (!description.isCa) {
    problems.push(
      'is not a CA certificate: it needs basic constraints CA:TRUE, and keyCertSign if it limits its key usage',
    )
  }
  if (description.subject === '') problems.push('has no subject')
  if (description.notAfter <= now) problems.push(`expired on ${description.notAfter.toISOString()}`)
  if (description.notBefore > now) problems.push(`is not valid before ${description.notBefore.toISOString()}`)
  const key = keyProblem(certificate.publicKey, 'ca')
  if (key !== undefined) problems.push(key)
  const signature = signatureProblem(certificate.raw)
  if (signature !== undefined) problems.push(signature)
  return problems
}

/** Certificate ::= SEQUENCE { tbs SEQUENCE { [0] version … } … }: version 1 leaves the tag out. */
function versionOf(der: Buffer): number {
  const tbs = contentOffset(der, 0)
  const first = contentOffset(der, tbs)
  if (der.readUInt8(first) !== 0xa0) return 1
  return der.readUIntBE(first + 4, Math.min(der.readUInt8(first + 3), 6)) + 1
}

function contentOffset(der: Buffer, at: number): number {
  const length = der.readUInt8(at + 1)
  return at + 2 + (length < 0x80 ? 0 : length & 0x7f)
}

function signatureProblem(der: Buffer): string | undefined {
  try {
    // The library's own type extends one of the DOM, which is not here.
    const algorithm: object = new LibraryCertificate(der).signatureAlgorithm
    const { name, hash } = algorithm as { readonly name: string; readonly hash?: { readonly name: string } }
    if (hash !== undefined && strongHashes.has(hash.name)) return undefined
    return `is signed with ${hash === undefined ? name : `${name} and ${hash.name}`}: use SHA-256 or stronger, with RSA or ECDSA`
  } catch {
    return 'is signed with an algorithm that is not known: use SHA-256 or stronger, with RSA or ECDSA'
  }
}

function repetitions(members: readonly Member[]): string[] {
  const problems: string[] = []
  for (const [index, member] of members.entries()) {
    const before = members.slice(0, index)
    const same = before.find((other) => other.certificate.raw.equals(member.certificate.raw))
    const namesake = before.find((other) => other.description.subject === member.description.subject)
    if (same !== undefined) problems.push(`${member.title} is the same as ${same.title}: leave one out`)
    else if (namesake !== undefined) {
      problems.push(`${member.title} has the subject of ${namesake.title}: subjects must be unique in a bundle`)
    }
  }
  return problems
}

/** Those whose signatures lead to a self-signed member. Two that signed each other lead nowhere, and are not among them. */
function chainedToRoot(members: readonly Member[]): ReadonlySet<Member> {
  const chained = new Set(members.filter((member) => issued(member, member)))
  const open = new Set(members.filter((member) => !chained.has(member)))
  for (let before = -1; before !== chained.size; ) {
    before = chained.size
    for (const member of open) {
      if ([...chained].some((issuer) => issued(issuer, member))) {
        chained.add(member)
        open.delete(member)
      }
    }
  }
  return chained
}

function issued(issuer: Member, member: Member): boolean {
  try {
    return member.certificate.checkIssued(issuer.certificate) && member.certificate.verify(issuer.certificate.publicKey)
  } catch {
    return false
  }
}
