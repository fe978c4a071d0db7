import { createPrivateKey, createPublicKey, type KeyObject, randomBytes, webcrypto, X509Certificate } from 'node:crypto'
import { AppError } from '#libs/base'
import type { CertificateSubject } from './certificate-profile.ts'
import { writePem } from './pem.ts'
import {
  AuthorityKeyIdentifierExtension,
  type Extension,
  X509Certificate as LibraryCertificate,
  Name,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from './x509-library.ts'

/** A CA that can sign: an ECDSA P-256 key as PKCS#8 PEM and its own certificate. Seal the key wherever it is kept. */
export interface CertificateAuthority {
  readonly certificatePem: string
  readonly keyPem: string
}

/** Clocks of other machines may be this far behind. */
const clockSkewMs = 5 * 60 * 1000

export interface SignCertificate {
  /** Absent for a self-signed certificate, which `privateKey` then signs. */
  readonly issuer?: CertificateAuthority
  readonly subject: CertificateSubject
  readonly publicKey: KeyObject
  readonly privateKey?: KeyObject
  /** Default: five minutes before now; never before the issuer's own. */
  readonly notBefore?: Date
  /** Shortened to the issuer's. */
  readonly notAfter: Date
  readonly now: Date
  /** Beside the key identifiers, which every certificate gets. */
  readonly extensions: readonly Extension[]
}

interface OpenIssuer {
  readonly certificate: X509Certificate
  readonly name: Name
  readonly keyIdentifier: string
  readonly key: KeyObject
}

/**
 * Makes and signs an X.509 v3 certificate with ECDSA and SHA-256.
 * @throws AppError precondition when the issuer may not sign now; Error when it is no CA or its key is another's.
 */
export async function signCertificate(request: SignCertificate): Promise<X509Certificate> {
  const issuer = request.issuer === undefined ? undefined : await openIssuer(request.issuer, request.now)
  const signer = issuer?.key ?? request.privateKey
  if (signer === undefined) throw new Error('a certificate needs an issuer, or a private key to sign itself')
  const subject = nameOf(request.subject)
  const spki = request.publicKey.export({ format: 'der', type: 'spki' })
  const own = await SubjectKeyIdentifierExtension.create(spki, false, webcrypto)
  const wantedStart = request.notBefore ?? new Date(request.now.getTime() - clockSkewMs)
  const made = await X509CertificateGenerator.create(
    {
      serialNumber: newSerialNumber(),
      subject,
      issuer: issuer?.name ?? subject,
      notBefore: later(wantedStart, issuer?.certificate.validFromDate),
      notAfter: earlier(request.notAfter, issuer?.certificate.validToDate),
      publicKey: spki,
      signingKey: signer.toCryptoKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']),
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
      extensions: [
        ...request.extensions,
        own,
        new AuthorityKeyIdentifierExtension(issuer?.keyIdentifier ?? own.keyId, false),
      ],
    },
    webcrypto,
  )
  return new X509Certificate(Buffer.from(made.rawData))
}

/** The certificate as PEM with a final newline, so that a chain is made by joining. */
export function certificatePem(certificate: X509Certificate): string {
  return writePem('CERTIFICATE', certificate.raw)
}

async function openIssuer(authority: CertificateAuthority, now: Date): Promise<OpenIssuer> {
  const certificate = new X509Certificate(authority.certificatePem)
  const key = createPrivateKey(authority.keyPem)
  if (!certificate.ca) throw new Error(`the issuing certificate ${certificate.subject} is not a CA`)
  if (!certificate.checkPrivateKey(key)) throw new Error(`the key is not that of the CA ${certificate.subject}`)
  if (createPublicKey(key).asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw new Error(`the CA ${certificate.subject} has a key that is not ECDSA on P-256`)
  }
  if (certificate.validToDate <= now) {
    throw new AppError('precondition', `the issuing CA expired on ${certificate.validToDate.toISOString()}: renew it`)
  }
  if (certificate.validFromDate > now) {
    throw new AppError('precondition', `the issuing CA is not valid before ${certificate.validFromDate.toISOString()}`)
  }
  const library = new LibraryCertificate(certificate.raw)
  // RFC 5280 4.2.1.1: the issuer's own identifier, however it was made; computed only where it has none.
  const identifier =
    library.getExtension(SubjectKeyIdentifierExtension) ??
    (await SubjectKeyIdentifierExtension.create(library.publicKey, false, webcrypto))
  return { certificate, name: library.subjectName, keyIdentifier: identifier.keyId, key }
}

/** Written as objects of a fixed string type, since the library gives `#`, quotes and backslashes in plain strings a meaning. */
function nameOf(subject: CertificateSubject): Name {
  const { organization, organizationalUnit, commonName } = subject
  return new Name([
    ...(organization === undefined ? [] : [{ O: [{ utf8String: organization }] }]),
    ...(organizationalUnit === undefined ? [] : [{ OU: [{ utf8String: organizationalUnit }] }]),
    { CN: [{ utf8String: commonName }] },
  ])
}

/** 126 random bits; positive, and never with a leading zero, so that every tool writes it alike. */
function newSerialNumber(): string {
  const bytes = randomBytes(16)
  bytes.writeUInt8((bytes.readUInt8(0) & 0x3f) | 0x40, 0)
  return bytes.toString('hex')
}

function later(one: Date, other: Date | undefined): Date {
  return other !== undefined && other > one ? other : one
}

function earlier(one: Date, other: Date | undefined): Date {
  return other !== undefined && other < one ? other : one
}
