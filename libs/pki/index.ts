export { type CaBundle, parseCaBundle, validateCaBundle } from './ca-bundle.ts'
export { type CreateCertificateAuthority, createCertificateAuthority } from './certificate-authority.ts'
export { type CertificateDescription, describeCertificate } from './certificate-description.ts'
export type {
  CertificateLifetime,
  CertificateProfile,
  CertificateSubject,
  CertificateUsage,
} from './certificate-profile.ts'
export {
  type CertificateRequest,
  type IssueFromCsr,
  issueFromCsr,
  readCertificateRequest,
} from './certificate-request.ts'
export {
  type IssueCertificate,
  type IssuedCertificate,
  issueCertificate,
} from './issue-certificate.ts'
export { type NewCertificateRequest, newCertificateRequest } from './new-certificate-request.ts'
export type { CertificateAuthority } from './sign-certificate.ts'
export { jwks, newSigningKey, type SigningKey } from './signing-key.ts'
