import type { EdgeNamespace } from '#libs/domain/edges'
import { extension, type Proto } from './envoy.ts'
import { internalHeaders } from './internal-headers.ts'
import type { SharedEdge } from './shared-edge.ts'

/** Envoy's default of a minute would be a minute of life after expiry. */
const clockSkewSeconds = 5

/**
 * Verifies bearer tokens. With API keys on, a token that is there has to be good, whatever certificate comes with it.
 * With API keys off, a token counts as none and the certificate decides alone: a client that sends its key everywhere
 * still works. A probe's token is known by its issuer, and by an audience that is this namespace.
 */
export function tokenFilter(namespace: EdgeNamespace, { apiKeys, probe }: SharedEdge): Proto {
  const providers = {
    probe: provider(probe.issuer, namespace.id, probe.jwks, [
      { header_name: internalHeaders.probe, claim_name: 'iss' },
    ]),
    ...(namespace.apiKeysEnabled
      ? {
          api_key: provider(apiKeys.issuer, apiKeys.audience, apiKeys.jwks, [
            { header_name: internalHeaders.principal, claim_name: 'sub' },
            { header_name: internalHeaders.keyId, claim_name: 'jti' },
          ]),
        }
      : {}),
  }
  const requirements = namespace.apiKeysEnabled
    ? [{ provider_name: 'api_key' }, { provider_name: 'probe' }, { allow_missing: {} }]
    : [{ provider_name: 'probe' }, { allow_missing_or_failed: {} }]
  return extension('envoy.filters.http.jwt_authn', 'envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication', {
    providers,
    rules: [{ match: { prefix: '/' }, requires: { requires_any: { requirements } } }],
  })
}

function provider(issuer: string, audience: string, jwks: string, claims: readonly Proto[]): Proto {
  return {
    issuer,
    audiences: [audience],
    require_expiration: true,
    clock_skew_seconds: clockSkewSeconds,
    local_jwks: { inline_string: jwks },
    // A signature is verified once a token and thread, which is a fifth of a small call. Expiry and audience are looked
    // at on every call all the same, and other keys are another filter with a cache of its own.
    jwt_cache_config: {},
    // Named, since the default also looks at the query string.
    from_headers: [{ name: 'authorization', value_prefix: 'Bearer ' }],
    forward: false,
    claim_to_headers: claims,
    // The route was chosen before the claims were known.
    clear_route_cache: true,
  }
}
