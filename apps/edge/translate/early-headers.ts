import { extension, type Proto } from './envoy.ts'
import { internalHeaders } from './internal-headers.ts'

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
        ...spoofable.prefixes.map((prefix) => ({ remove_on_match: { key_matcher: { prefix, ignore_case: true } } })),
        ...spoofable.names.map((remove) => ({ remove })),
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
