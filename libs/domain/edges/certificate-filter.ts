/**
 * Every field that is set must match the client certificate's; one filter of a list is enough. Matching ignores case,
 * and a single `*` may stand at one end (the contract's own rule, `CertificateFilterSpec`).
 */
export interface CertificateFilter {
  readonly commonName: string
  readonly organization: string
  readonly organizationalUnit: string
  readonly subjectAlternativeName: string
}
