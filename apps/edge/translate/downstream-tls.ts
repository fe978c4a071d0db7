import type { EdgeNamespace } from '#libs/domain/edges'
import { parseCaBundle } from '#libs/pki'
import { certificateBlocks } from './certificate-blocks.ts'
import { extension, type Proto } from './envoy.ts'

/**
 * TLS towards the namespace's clients. A client certificate is asked for, never required: who has none may have an API
 * key, and who has neither is told so by a gRPC status instead of a broken handshake. One of another CA, or an expired
 * one, does break the handshake.
 *
 * Sessions are not resumed: a resumed one would carry a certificate that was verified by an earlier handshake.
 */
export function downstreamTls(namespace: EdgeNamespace): Proto {
  return extension('envoy.transport_sockets.tls', 'envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext', {
    common_tls_context: {
      tls_params: { tls_minimum_protocol_version: 'TLSv1_2', tls_maximum_protocol_version: 'TLSv1_3' },
      alpn_protocols: ['h2'],
      tls_certificates: [
        {
          certificate_chain: { inline_string: `${certificateBlocks(namespace.serverCertificatePem).join('\n')}\n` },
          private_key: { inline_string: namespace.serverKeyPem },
        },
      ],
      ...(namespace.clientCa === undefined
        ? {}
        : { validation_context: { trusted_ca: { inline_string: clientCa(namespace.clientCa.pem) } } }),
    },
    require_client_certificate: false,
    disable_stateless_session_resumption: true,
    disable_stateful_session_resumption: true,
  })
}

/**
 * The certificates alone, written anew: Envoy would also act on a CRL in the tenant's text, and refuse every certificate
 * without one; and of the many ways to write PEM it reads fewer than we do.
 */
function clientCa(pem: string): string {
  return parseCaBundle(pem)
    .certificates.map((certificate) => certificate.pem)
    .join('')
}
