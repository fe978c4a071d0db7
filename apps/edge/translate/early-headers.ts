import { extension, type Proto } from './envoy.ts'
import { internalHeaders } from './internal-headers.ts'
import { escapePattern } from './text-pattern.ts'

/**
 * Names that a client could deceive us or the frontend with: our own; Envoy's (retries, timeouts, who the client is);
 * those that Temporal's frontend reads as coming from inside a cluster (`common/headers` and the redirection interceptor).
 */
const spoofable = {
  prefixes: ['x-aqueduct-', 'x-envoy-', 'x-forwarded-', 'temporal-principal-', 'xdc-'],
  names: [
    internalHeaders.principal,
    'forwarded',
    'x-real-ip',
    'x-jwt-payload',
    'authorization-extras',
    'caller-name',
    'caller-type',
    'call-initiation',
    'temporal-experiment',
  ],
} as const

const spoofablePattern = [
  ...spoofable.prefixes.map((prefix) => `${escapePattern(prefix)}.*`),
  ...spoofable.names.map(escapePattern),
].join('|')

/**
 * The first thing that happens to a request, before a route is chosen and any filter runs: spoofable headers go, and
 * the connection's own truths are written down for routes to match.
 */
export function earlyHeaders(scope: string, clientCertificates: boolean): Proto {
  return extension(
    'aqueduct.early_headers',
    'envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation',
    {
      mutations: [
        // One pass over the headers, whose names are lower-case in HTTP/2.
        { remove_on_match: { key_matcher: { safe_regex: { regex: spoofablePattern } } } },
        set(internalHeaders.scope, scope),
        ...(clientCertificates
          ? [
              set(internalHeaders.fingerprint, '%DOWNSTREAM_PEER_FINGERPRINT_256%'),
              set(internalHeaders.subject, '%DOWNSTREAM_PEER_SUBJECT%'),
            ]
          : []),
      ],
    },
  )
}

function set(key: string, value: string): Proto {
  return { append: { header: { key, value }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' } }
}
