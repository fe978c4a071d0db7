import { X509Certificate } from 'node:crypto'
import { AppError, invalidField } from '#libs/base'
import { nameProblem, validityProblem } from './certificate-profile.ts'
import { newKeyPair, privateKeyPem } from './key-pair.ts'
import { type CertificateAuthority, certificatePem, signCertificate } from './sign-certificate.ts'
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  X509Certificate as LibraryCertificate,
} from './x509-library.ts'

const dayMs = 24 * 60 * 60 * 1000

export interface CreateCertificateAuthority {
  /** Make it unique: a bundle takes no two CAs of one subject. The organization is `Aqueduct`. */
  readonly commonName: string
  /** Counted from now; shortened to what the issuer has left. */
  readonly validityDays: number
  /** Default: five minutes ago. */
  readonly notBefore?: Date
  /** Absent for a root. */
  readonly issuer?: CertificateAuthority
  /** How many further CAs may stand below this one; absent for no limit. */
  readonly pathLength?: number
  readonly now?: Date
}

/**
 * Makes a root or, with an issuer, an intermediate CA.
 * @throws AppError invalid on `commonName` or `validityDays`; precondition when the issuer may not sign another CA.
 */
export async function createCertificateAuthority(request: CreateCertificateAuthority): Promise<CertificateAuthority> {
  const nameMessage = nameProblem(request.commonName)
  if (nameMessage !== undefined) throw invalidField('commonName', nameMessage)
  const validityMessage = validityProblem(request.validityDays)
  if (validityMessage !== undefined) throw invalidField('validityDays', validityMessage)
  if (request.issuer !== undefined) checkPathLength(request.issuer.certificatePem)

  const now = request.now ?? new Date()
  const { publicKey, privateKey } = await newKeyPair()
  const certificate = await signCertificate({
    subject: { organization: 'Aqueduct', commonName: request.commonName },
    publicKey,
    notAfter: new Date(now.getTime() + request.validityDays * dayMs),
    now,
    extensions: [
      new BasicConstraintsExtension(true, request.pathLength, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
    ...(request.notBefore === undefined ? {} : { notBefore: request.notBefore }),
    ...(request.issuer === undefined ? { privateKey } : { issuer: request.issuer }),
  })
  return { certificatePem: certificatePem(certificate), keyPem: privateKeyPem(privateKey) }
}

/** A CA below one with path length 0 would be signed without complaint, and then be trusted by nobody. */
function checkPathLength(issuerPem: string): void {
  const { raw, subject } = new X509Certificate(issuerPem)
  if (new LibraryCertificate(raw).getExtension(BasicConstraintsExtension)?.pathLength === 0) {
    throw new AppError(
      'precondition',
      `the CA ${subject.split('\n').join(', ')} may not issue other CAs (path length 0)`,
    )
  }
}
