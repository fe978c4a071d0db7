import { createPublicKey, type KeyObject, webcrypto } from 'node:crypto'
import { invalidField } from '#libs/base'
import { nameProblem } from './certificate-profile.ts'
import { certifyPublicKey, type IssueCertificate, type IssuedCertificate } from './issue-certificate.ts'
import { keyProblem } from './key-strength.ts'
import { readPem, writePem } from './pem.ts'
import { Pkcs10CertificateRequest } from './x509-library.ts'

const maxBytes = 16 * 1024
const labels = new Set(['CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST'])

/** What is believed of a request: that its sender holds the key. The name is only what the sender would like. */
export interface CertificateRequest {
  /** The first CN, or '' without one. */
  readonly commonName: string
  /** SPKI PEM. */
  readonly publicKeyPem: string
}

/**
 * Reads a PKCS#10 request, checks its signature and the strength of its key. Requested extensions are not looked at.
 * @throws AppError invalid on the field `csr`.
 */
export async function readCertificateRequest(csrPem: string): Promise<CertificateRequest> {
  if (Buffer.byteLength(csrPem) > maxBytes) throw invalidField('csr', `has more than ${maxBytes} bytes`)
  const { blocks, problems } = readPem(csrPem)
  const [block, ...others] = blocks
  if (blocks.some(({ label }) => label.includes('PRIVATE KEY'))) {
    throw invalidField(
      'csr',
      'holds a private key: send the request alone, and make a new key, since this one was sent',
    )
  }
  if (block === undefined || others.length > 0 || problems.length > 0 || !labels.has(block.label)) {
    throw invalidField('csr', 'must be one PEM certificate request (-----BEGIN CERTIFICATE REQUEST-----)')
  }
  const { request, key } = parse(block.der)
  const problem = keyProblem(key, 'leaf')
  if (problem !== undefined) throw invalidField('csr', problem)
  if (!(await selfSigned(request))) {
    throw invalidField('csr', 'is not signed by its own key: make it anew with the private key at hand')
  }
  return {
    commonName: request.subjectName.getField('CN')[0] ?? '',
    publicKeyPem: writePem('PUBLIC KEY', key.export({ format: 'der', type: 'spki' })),
  }
}

/** Without a common name, the one of the request is taken: leave it out only where the caller decides on names elsewhere. */
export type IssueFromCsr = Omit<IssueCertificate, 'subject' | 'validityDays' | 'notAfter'> &
  (
    | { readonly validityDays: number; readonly notAfter?: never }
    | { readonly notAfter: Date; readonly validityDays?: never }
  ) & {
    readonly csrPem: string
    readonly subject: {
      readonly commonName?: string
      readonly organization?: string
      readonly organizationalUnit?: string
    }
  }

/**
 * Issues a certificate for a request's key. Names and usage come from the caller's profile, whatever the request asks for.
 * @throws AppError invalid on `csr`, and as `issueCertificate` does.
 */
export async function issueFromCsr(request: IssueFromCsr): Promise<IssuedCertificate> {
  const { csrPem, subject, ...profile } = request
  const asked = await readCertificateRequest(csrPem)
  const commonName = subject.commonName ?? asked.commonName
  if (subject.commonName === undefined) {
    const problem = nameProblem(commonName)
    if (problem !== undefined) throw invalidField('csr', `its common name ${problem}`)
  }
  return certifyPublicKey({ ...profile, subject: { ...subject, commonName }, publicKeyPem: asked.publicKeyPem })
}

function parse(der: Buffer): { readonly request: Pkcs10CertificateRequest; readonly key: KeyObject } {
  try {
    const request = new Pkcs10CertificateRequest(der)
    const key = createPublicKey({ key: Buffer.from(request.publicKey.rawData), format: 'der', type: 'spki' })
    return { request, key }
  } catch {
    throw invalidField('csr', 'is not a valid PKCS#10 certificate request')
  }
}

async function selfSigned(request: Pkcs10CertificateRequest): Promise<boolean> {
  try {
    return await request.verify(webcrypto)
  } catch {
    return false
  }
}
