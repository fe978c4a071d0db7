import type { EdgeIntent } from '#libs/domain/edges'

/** What all namespaces of a cell have in common and what stands in each one's chain. */
export type SharedEdge = Pick<EdgeIntent, 'apiKeys' | 'probe'>

/** @throws Error when no namespace of the cell could be served safely: the whole intent is then refused. */
export function checkShared({ apiKeys, probe }: SharedEdge): void {
  if (apiKeys.issuer === '' || apiKeys.audience === '') throw new Error('API keys have no issuer or audience')
  if (probe.issuer === '') throw new Error('probe tokens have no issuer')
  // Envoy chooses by issuer whose keys a token is verified with.
  if (apiKeys.issuer === probe.issuer) throw new Error('API keys and probe tokens have the same issuer')
  checkKeySet('API keys', apiKeys.jwks)
  checkKeySet('probe', probe.jwks)
}

function checkKeySet(whose: string, jwks: string): void {
  let parsed: unknown
  try {
    parsed = JSON.parse(jwks)
  } catch {
    throw new Error(`the key set of ${whose} is not JSON`)
  }
  const keys = typeof parsed === 'object' && parsed !== null && 'keys' in parsed ? parsed.keys : undefined
  if (!Array.isArray(keys) || keys.length === 0) throw new Error(`the key set of ${whose} holds no keys`)
  // A symmetric key in a public key set would let everybody who reads it sign tokens.
  const wrong = keys.find((key: { kty?: unknown; d?: unknown }) => key.kty !== 'EC' || key.d !== undefined)
  if (wrong !== undefined) throw new Error(`the key set of ${whose} holds something other than public EC keys`)
}
