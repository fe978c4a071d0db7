import { createPublicKey, type KeyObject } from 'node:crypto'
import { invalidField } from '#libs/base'
import { describe } from './certificate-description.ts'
import { type CertificateProfile, type CertificateUsage, checkProfile } from './certificate-profile.ts'
import { newKeyPair, privateKeyPem } from './key-pair.ts'
import { keyProblem } from './key-strength.ts'
import { type CertificateAuthority, certificatePem, signCertificate } from './sign-certificate.ts'
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
} from './x509-library.ts'

const dayMs = 24 * 60 * 60 * 1000

export interface IssuedCertificate {
  /** The leaf alone: append the issuer's, where that is an intermediate, to make the chain a server or client presents. */
  readonly certificatePem: string
  /** Lower-case hex. */
  readonly serialNumber: string
  /** 64 lower-case hex digits. */
  readonly fingerprintSha256: string
  readonly notBefore: Date
  readonly notAfter: Date
}

export type IssueCertificate = CertificateProfile & {
  readonly issuer: CertificateAuthority
  readonly now?: Date
}

/**
 * Issues a certificate for a new ECDSA P-256 key. It begins five minutes ago, for clocks that are behind, and never
 * outlives its issuer.
 * @throws AppError invalid that names each wrong field of the profile; precondition when the issuer may not sign now.
 */
export async function issueCertificate(
  request: IssueCertificate,
): Promise<IssuedCertificate & { readonly keyPem: string }> {
  const { publicKey, privateKey } = await newKeyPair()
  return { ...(await sign(request, publicKey)), keyPem: privateKeyPem(privateKey) }
}

/**
 * Issues a certificate for a public key (SPKI PEM) whose owner has **proved** to hold the private one; `issueFromCsr`
 * does both.
 * @throws AppError invalid on `publicKey` for a weak or unusable key, and as `issueCertificate` does.
 */
export async function certifyPublicKey(
  request: IssueCertificate & { readonly publicKeyPem: string },
): Promise<IssuedCertificate> {
  const key = readPublicKey(request.publicKeyPem)
  const problem = keyProblem(key, 'leaf')
  if (problem !== undefined) throw invalidField('publicKey', problem)
  return sign(request, key)
}

function readPublicKey(pem: string): KeyObject {
  try {
    // `createPublicKey` also takes a private key and a certificate: neither belongs here.
    if (pem.includes('-----BEGIN PUBLIC KEY-----')) return createPublicKey(pem)
  } catch {
    // Said below.
  }
  throw invalidField('publicKey', 'is not a PEM public key (-----BEGIN PUBLIC KEY-----)')
}

async function sign(request: IssueCertificate, publicKey: KeyObject): Promise<IssuedCertificate> {
  const now = request.now ?? new Date()
  checkProfile(request, now)
  const certificate = await signCertificate({
    issuer: request.issuer,
    subject: request.subject,
    publicKey,
    notAfter: request.notAfter ?? new Date(now.getTime() + request.validityDays * dayMs),
    now,
    extensions: leafExtensions(request, publicKey),
  })
  const { serialNumber, fingerprintSha256, notBefore, notAfter } = describe(certificate)
  return { certificatePem: certificatePem(certificate), serialNumber, fingerprintSha256, notBefore, notAfter }
}

function leafExtensions(profile: CertificateProfile, publicKey: KeyObject): Extension[] {
  const names = [
    ...(profile.dnsNames ?? []).map((value) => ({ type: 'dns' as const, value })),
    ...(profile.ipAddresses ?? []).map((value) => ({ type: 'ip' as const, value })),
    ...(profile.uris ?? []).map((value) => ({ type: 'url' as const, value })),
    ...(profile.emails ?? []).map((value) => ({ type: 'email' as const, value })),
  ]
  // RSA key exchange of TLS 1.2 encrypts to the key; ECDSA keys only sign.
  const keyUsage =
    publicKey.asymmetricKeyType === 'rsa'
      ? KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment
      : KeyUsageFlags.digitalSignature
  return [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(keyUsage, true),
    new ExtendedKeyUsageExtension(extendedUsages[profile.usage], false),
    ...(names.length === 0 ? [] : [new SubjectAlternativeNameExtension(names, false)]),
  ]
}

const extendedUsages: Readonly<Record<CertificateUsage, string[]>> = {
  client: [ExtendedKeyUsage.clientAuth],
  server: [ExtendedKeyUsage.serverAuth],
  both: [ExtendedKeyUsage.clientAuth, ExtendedKeyUsage.serverAuth],
}
