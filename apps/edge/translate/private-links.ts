import { linkFieldTypes, type PrivateLink, proxyFieldOf } from '#libs/domain/edges'
import { extension, type Proto } from './envoy.ts'

/** Where Envoy keeps what it read from a PROXY header, unless it is told otherwise. */
const metadataKey = 'envoy.filters.listener.proxy_protocol'

/**
 * Reads the PROXY protocol v2 header that has to come before anything else, and remembers how it names the connection.
 * Who sends none is disconnected, and so is who sends version 1, which has no room for it.
 */
export function proxyProtocolFilter(): Proto {
  return extension(metadataKey, 'envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol', {
    disallowed_versions: ['V1'],
    rules: Object.entries(linkFieldTypes).map(([provider, type]) => ({
      tlv_type: type,
      on_tlv_present: { key: provider },
    })),
  })
}

/**
 * Lets in who comes over one of these connections, and disconnects everybody else with the first byte after the TLS
 * handshake. The field is compared byte by byte: as text, which is how Envoy's matchers see it, every byte that is no
 * UTF-8 would be the same, and most GCP connections have such bytes.
 * @throws RangeError for an id that is none of the provider's.
 */
export function privateLinkFilter(links: readonly PrivateLink[]): Proto {
  const policies = links.map((link, index) => [
    `link_${index}`,
    { permissions: [{ any: true }], principals: [{ any: true }], condition: cameBy(link) },
  ])
  return extension('envoy.filters.network.rbac', 'envoy.extensions.filters.network.rbac.v3.RBAC', {
    stat_prefix: 'edge',
    rules: { action: 'ALLOW', policies: Object.fromEntries(policies) },
  })
}

/**
 * `metadata.typed_filter_metadata[<metadataKey>].typed_metadata[<provider>] == <bytes>`, as a parsed CEL expression. A
 * header without the field makes it an error, which matches nothing.
 */
function cameBy(link: PrivateLink): Proto {
  const metadata = { ident_expr: { name: 'metadata' } }
  const fields = select(at(select(metadata, 'typed_filter_metadata'), metadataKey), 'typed_metadata')
  const wanted = { const_expr: { bytes_value: Buffer.from(proxyFieldOf(link).value).toString('base64') } }
  return call('_==_', at(fields, link.provider), wanted)
}

function select(operand: Proto, field: string): Proto {
  return { select_expr: { operand, field } }
}

function at(map: Proto, key: string): Proto {
  return call('_[_]', map, { const_expr: { string_value: key } })
}

function call(name: string, ...args: readonly Proto[]): Proto {
  return { call_expr: { function: name, args } }
}
