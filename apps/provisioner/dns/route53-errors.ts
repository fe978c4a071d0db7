import { coerceError } from '#libs/base'
import { DnsError, type DnsErrorKind } from './contract.ts'

/** Route 53's error codes → kind. The one place that knows them; what is not named is `unknown`. */
const kinds: Readonly<Record<string, DnsErrorKind>> = {
  // A record to be made was there, or one to be deleted was not as we had seen it: the batch as a whole changed nothing.
  InvalidChangeBatch: 'changed',
  Throttling: 'throttled',
  ThrottlingException: 'throttled',
  PriorRequestNotComplete: 'throttled',
  RequestLimitExceeded: 'throttled',
  AccessDenied: 'denied',
  AccessDeniedException: 'denied',
  InvalidClientTokenId: 'denied',
  SignatureDoesNotMatch: 'denied',
  ExpiredToken: 'denied',
  CredentialsProviderError: 'denied',
  InvalidInput: 'invalid',
  NoSuchHostedZone: 'not_found',
}

/**
 * Without the SDK's error as its cause: that one holds the whole request, its signature included, and would be logged.
 * @param doing what was tried, as in "changing records".
 */
export function route53Error(doing: string, thrown: unknown): DnsError {
  const error = coerceError(thrown)
  return new DnsError(kinds[error.name] ?? 'unknown', `${doing}: ${error.message} (${error.name})`)
}
