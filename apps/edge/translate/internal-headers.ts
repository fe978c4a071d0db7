import { scopeHeader } from '#libs/domain/edges'

/**
 * Headers that this edge sets for itself, and believes. Whatever a client sends under these names is removed before
 * anything else looks at the request, and what the edge has set is removed before the request goes on.
 */
export const internalHeaders = {
  /** `sub` of a verified API key. */
  principal: 'x-principal',
  /** `jti` of a verified API key. */
  keyId: 'x-aqueduct-key',
  /** Present when a probe's token for this very namespace was verified. */
  probe: 'x-aqueduct-probe',
  /** SHA-256 fingerprint of the client certificate, in lower-case hex. */
  fingerprint: 'x-aqueduct-fingerprint',
  /** Subject of the client certificate, in the form of RFC 2253. */
  subject: 'x-aqueduct-subject',
  /** `<namespace>@<chain hash>`: the key of the scoped routes, so that a chain finds its own routes and no others. */
  scope: scopeHeader,
} as const
