import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'
import { invalid, type Problem } from '#libs/base'

export interface CertificateSubject {
  readonly commonName: string
  readonly organization?: string
  readonly organizationalUnit?: string
}

/** What the certificate is for: its extended key usage. */
export type CertificateUsage = 'client' | 'server' | 'both'

/** Days from now (fractions allowed), or an instant. Either is shortened to what the issuer has left. */
export type CertificateLifetime =
  | { readonly validityDays: number; readonly notAfter?: never }
  | { readonly notAfter: Date; readonly validityDays?: never }

/** Who and what a certificate is for; decided by us or by the operator, never by the one who asks for it. */
export type CertificateProfile = CertificateLifetime & {
  readonly subject: CertificateSubject
  readonly usage: CertificateUsage
  /** A leading `*.` is allowed. */
  readonly dnsNames?: readonly string[]
  readonly ipAddresses?: readonly string[]
  readonly uris?: readonly string[]
  readonly emails?: readonly string[]
}

/** RFC 5280 appendix A: ub-common-name, and the same for O and OU. */
const maxNameLength = 64
const maxValidityDays = 36_500
const label = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i

/** @throws AppError invalid that names every field that is wrong. */
export function checkProfile(profile: CertificateProfile, now: Date): void {
  const problems = [
    ...subjectProblems(profile.subject),
    ...each('dnsNames', profile.dnsNames, isDnsName, 'is not a DNS name'),
    ...each('ipAddresses', profile.ipAddresses, (text) => isIP(text) !== 0, 'is not an IP address'),
    ...each('uris', profile.uris, isUri, 'is not a URI'),
    ...each('emails', profile.emails, isEmail, 'is not an e-mail address'),
    ...lifetimeProblems(profile, now),
  ]
  if (problems.length > 0) throw invalid(problems)
}

/** What is wrong with one value of a distinguished name, or undefined. */
export function nameProblem(value: string): string | undefined {
  if (value.trim() === '') return 'must not be empty'
  if ([...value].length > maxNameLength) return `has more than ${maxNameLength} characters`
  return /\p{Cc}/u.test(value) ? 'holds a control character' : undefined
}

/** What is wrong with a number of days, or undefined. */
export function validityProblem(days: number): string | undefined {
  return days > 0 && days <= maxValidityDays ? undefined : `must be more than 0 and at most ${maxValidityDays} days`
}

function subjectProblems(subject: CertificateSubject): Problem[] {
  return (['commonName', 'organization', 'organizationalUnit'] as const).flatMap((key) => {
    const value = subject[key]
    const message = value === undefined ? undefined : nameProblem(value)
    return message === undefined ? [] : [{ field: `subject.${key}`, message }]
  })
}

function lifetimeProblems(lifetime: CertificateLifetime, now: Date): Problem[] {
  if (lifetime.notAfter !== undefined) {
    return lifetime.notAfter > now ? [] : [{ field: 'notAfter', message: 'must be in the future' }]
  }
  const message = validityProblem(lifetime.validityDays)
  return message === undefined ? [] : [{ field: 'validityDays', message }]
}

function each(
  field: string,
  values: readonly string[] | undefined,
  fits: (value: string) => boolean,
  message: string,
): Problem[] {
  return (values ?? []).flatMap((value, index) => (fits(value) ? [] : [{ field: `${field}[${index}]`, message }]))
}

function isDnsName(text: string): boolean {
  const name = text.replace(/^\*\./, '')
  return name.length <= 253 && domainToASCII(name) !== '' && name.split('.').every((part) => label.test(part))
}

function isUri(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text) && URL.canParse(text)
}

function isEmail(text: string): boolean {
  return /^[\x21-\x3f\x41-\x7e]+@[\x21-\x3f\x41-\x7e]+$/.test(text)
}
