import { type EdgeNamespace, edgeVersionPath, frontendCluster } from '#libs/domain/edges'
import { extension, type Proto } from './envoy.ts'
import { internalHeaders } from './internal-headers.ts'
import { forwardedPath, probedPath, refusedPath } from './method-policy.ts'
import { anyOf } from './text-pattern.ts'

/** Only what surely did not begin is tried again, on another frontend if there is one. */
const retryPolicy: Proto = {
  retry_on: 'connect-failure,refused-stream',
  num_retries: 2,
  host_selection_retry_max_attempts: 3,
  retry_host_predicate: [
    extension(
      'envoy.retry_host_predicates.previous_hosts',
      'envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate',
      {},
    ),
  ],
}

const fingerprint = '[0-9a-f]{64}'

/**
 * The routes of one namespace: who may pass, with which token, and what everybody else is told. Read from top to bottom,
 * the first that matches answers; each one may rely on those above it. Nothing is forwarded unless a route says so.
 *
 * Status codes are HTTP's; Envoy turns them into gRPC's for a gRPC call: 401 UNAUTHENTICATED, 403 PERMISSION_DENIED,
 * 404 UNIMPLEMENTED.
 */
export function namespaceRoutes(namespace: EdgeNamespace, scope: string): Proto {
  return {
    name: scope,
    key: { fragments: [{ string_key: scope }] },
    route_configuration: {
      name: scope,
      ignore_port_in_host_matching: true,
      request_headers_to_remove: [...Object.values(internalHeaders), 'x-envoy-external-address'],
      virtual_hosts: [
        {
          name: namespace.id,
          domains: [namespace.hostname],
          retry_policy: retryPolicy,
          routes: [...probeRoutes(namespace), ...refusals(namespace), ...forwards(namespace)],
        },
        { name: 'other', domains: ['*'], routes: otherAuthority(namespace.hostname) },
      ],
    },
  }
}

/** A connection's certificate was checked for the name in its SNI, so it carries calls for that name alone. */
function otherAuthority(hostname: string): readonly Proto[] {
  const text = `this connection is for ${hostname}: the authority of a call must be the server name of its connection`
  return [refuse({ prefix: '/', grpc: {} }, 403, text), refuse({ prefix: '/' }, 421, text)]
}

function probeRoutes(namespace: EdgeNamespace): readonly Proto[] {
  const probe = present(internalHeaders.probe)
  return [
    {
      match: { path: edgeVersionPath, headers: [probe] },
      direct_response: { status: 200, body: { inline_string: JSON.stringify({ generation: namespace.generation }) } },
      response_headers_to_add: [overwrite('content-type', 'application/json')],
    },
    ...(namespace.suspended ? [] : [forward({ headers: [probe, path(probedPath)] }, namespace.tokens.read)]),
    refuse({ prefix: '/', headers: [probe] }, 403, 'a probe may not call this'),
  ]
}

/** Everybody who may not pass, and everything that nobody may call. Who gets by is permitted, to read at least. */
function refusals(namespace: EdgeNamespace): readonly Proto[] {
  const key = present(internalHeaders.principal)
  const routes: Proto[] = []
  if (namespace.apiKeysEnabled) {
    // A token that was verified is gone by now: what is still there was never taken for a token at all.
    routes.push(
      refuse(
        { prefix: '/', headers: [present('authorization')] },
        401,
        'the authorization header is not "Bearer <API key>"',
      ),
      ...anyOf(namespace.revokedKeyIds).map((regex) =>
        refuse({ prefix: '/', headers: [matches(internalHeaders.keyId, regex)] }, 401, 'the API key is revoked'),
      ),
    )
  }
  if (namespace.clientCa !== undefined) {
    routes.push(
      ...anyOf(namespace.revokedFingerprints).map((regex) =>
        refuse(
          { prefix: '/', headers: [matches(internalHeaders.fingerprint, regex)] },
          403,
          'the client certificate is revoked',
        ),
      ),
    )
  }
  if (namespace.apiKeysEnabled) {
    const known = anyOf([...namespace.writers, ...namespace.readers])
    const unknown = known.map((regex) => ({ ...matches(internalHeaders.principal, regex), invert_match: true }))
    routes.push(refuse({ prefix: '/', headers: [key, ...unknown] }, 403, 'the API key does not permit this namespace'))
  }
  routes.push(
    refuse(
      { prefix: '/', headers: [absent(internalHeaders.principal), ...noCertificate(namespace)] },
      401,
      credentialsWanted(namespace),
    ),
  )
  if (namespace.suspended) return [...routes, refuse({ prefix: '/' }, 403, 'the tenant is suspended')]
  return [
    ...routes,
    refuse(
      { prefix: '/', headers: [path(refusedPath)] },
      403,
      'this method is not available here: namespaces and search attributes are managed through the Cloud Ops API',
    ),
    refuse({ prefix: '/', headers: [{ ...path(forwardedPath), invert_match: true }] }, 404, 'there is no such method'),
  ]
}

function forwards(namespace: EdgeNamespace): readonly Proto[] {
  if (namespace.suspended) return []
  const { write, read } = namespace.tokens
  const routes: Proto[] = []
  if (namespace.apiKeysEnabled) {
    routes.push(
      ...anyOf(namespace.writers).map((regex) =>
        forward({ headers: [matches(internalHeaders.principal, regex)] }, write),
      ),
      // Not among the writers, and known: a reader.
      ...anyOf(namespace.readers).map((regex) =>
        forward({ headers: [matches(internalHeaders.principal, regex)] }, read),
      ),
    )
  }
  if (namespace.clientCa !== undefined) {
    const headers = [absent(internalHeaders.principal), matches(internalHeaders.fingerprint, fingerprint)]
    routes.push(forward({ headers, tls_context: { presented: true, validated: true } }, write))
  }
  // gRPC alone is forwarded; who got here otherwise speaks something else.
  return [...routes, refuse({ prefix: '/' }, 415, 'only gRPC is spoken here')]
}

function noCertificate(namespace: EdgeNamespace): readonly Proto[] {
  if (namespace.clientCa === undefined) return []
  // Without the last field, a header that is not there matches neither the pattern nor its opposite.
  const validated = matches(internalHeaders.fingerprint, fingerprint)
  return [{ ...validated, invert_match: true, treat_missing_header_as_empty: true }]
}

function credentialsWanted({ clientCa, apiKeysEnabled }: EdgeNamespace): string {
  if (clientCa !== undefined && apiKeysEnabled) return 'a client certificate or an API key is needed'
  if (clientCa !== undefined) return 'a client certificate is needed: this namespace takes no API keys'
  if (apiKeysEnabled) return 'an API key is needed: this namespace takes no client certificates'
  return 'this namespace takes neither client certificates nor API keys'
}

function forward(match: Proto, token: string): Proto {
  return {
    match: { prefix: '/', grpc: {}, ...match },
    route: {
      cluster: frontendCluster,
      // A long poll ends when the frontend or the client ends it.
      timeout: '0s',
    },
    request_headers_to_add: [overwrite('authorization', `Bearer ${token}`)],
  }
}

function refuse(match: Proto, status: number, text: string): Proto {
  // By its name the log of refusals says why.
  return { name: text, match, direct_response: { status, body: { inline_string: text } } }
}

function present(name: string): Proto {
  return { name, present_match: true }
}

function absent(name: string): Proto {
  return { name, present_match: false }
}

function matches(name: string, regex: string): Proto {
  return { name, string_match: { safe_regex: { regex } } }
}

function path(regex: string): Proto {
  return matches(':path', regex)
}

function overwrite(key: string, value: string): Proto {
  return { header: { key, value }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' }
}
