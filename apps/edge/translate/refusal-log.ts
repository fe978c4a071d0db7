import { edgeFiles } from '#libs/domain/edges'
import { extension, type Proto } from './envoy.ts'
import { internalHeaders } from './internal-headers.ts'

/** Where the filter below keeps who calls: what is in the headers about it is gone once a call was forwarded. */
const metadata = 'aqueduct.caller'
const loggerType = 'envoy.extensions.access_loggers.file.v3.FileAccessLog'

/**
 * Writes a line of every call that this chain refuses, and of those that the cell's own authorizer refuses: who called
 * what, from where, and which answer it was. Of other calls nothing is written, and what looks first at each is the
 * status alone. A call of a method that does not exist counts where the edge says so: a cell that is older than its
 * client is no refusal.
 *
 * What a client chooses (path, request id) is cut here, and Envoy writes it as JSON: it cannot begin a line of its own.
 */
export function callRefusalLog(namespaceId: string): Proto {
  return fileLog(
    and([
      or([
        { grpc_status_filter: { statuses: ['UNAUTHENTICATED', 'PERMISSION_DENIED'] } },
        { status_code_filter: { comparison: { op: 'GE', value: { default_value: 400, runtime_key: 'none' } } } },
        and([
          { grpc_status_filter: { statuses: ['UNIMPLEMENTED'] } },
          cel("response.code_details == 'direct_response'"),
        ]),
      ]),
      // What the provisioner's probe is told is between it and the edge.
      { header_filter: { header: { name: internalHeaders.probe, present_match: true, invert_match: true } } },
    ]),
    {
      ...common,
      namespace: namespaceId,
      path: '%PATH(NQ:PATH):300%',
      status: '%RESPONSE_CODE%',
      grpc: '%GRPC_STATUS_NUMBER%',
      why: '%RESPONSE_CODE_DETAILS%',
      route: '%ROUTE_NAME%',
      principal: `%DYNAMIC_METADATA(${metadata}:principal):128%`,
      key: `%DYNAMIC_METADATA(${metadata}:key):128%`,
      fingerprint: '%DOWNSTREAM_PEER_FINGERPRINT_256%',
      requestId: '%REQ(X-REQUEST-ID):128%',
    },
  )
}

/**
 * Writes a line of every connection that was refused before a call could come over it: its client certificate is not
 * good for the namespace, or it came by a private connection that no rule lets in. Who asks for no namespace of this
 * edge is in no tenant's log: there is no chain, and so no name.
 */
export function connectionRefusalLog(): Proto {
  return fileLog(
    cel(
      "connection.transport_failure_reason.contains('CERTIFICATE_VERIFY_FAILED') || " +
        "connection.termination_details.startsWith('rbac_access_denied')",
    ),
    {
      ...common,
      namespace: '%FILTER_CHAIN_NAME%',
      why: '%CONNECTION_TERMINATION_DETAILS%',
      tls: '%DOWNSTREAM_TRANSPORT_FAILURE_REASON%',
      fingerprint: '%DOWNSTREAM_PEER_FINGERPRINT_256%',
    },
  )
}

/** Remembers the verified claims of an API key for the log. */
export function callerFilter(): Proto {
  const rule = (header: string, key: string) => ({
    header,
    on_header_present: { metadata_namespace: metadata, key, type: 'STRING' },
  })
  return extension(
    'envoy.filters.http.header_to_metadata',
    'envoy.extensions.filters.http.header_to_metadata.v3.Config',
    { request_rules: [rule(internalHeaders.principal, 'principal'), rule(internalHeaders.keyId, 'key')] },
  )
}

const common = {
  time: '%START_TIME(%s.%3f)%',
  source: '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%',
} as const

function fileLog(filter: Proto, fields: Proto): Proto {
  return {
    filter,
    ...extension('envoy.access_loggers.file', loggerType, {
      path: `{dir}/${edgeFiles.refusals}`,
      log_format: { json_format: fields, omit_empty_values: true },
    }),
  }
}

function cel(expression: string): Proto {
  return {
    extension_filter: extension(
      'envoy.access_loggers.extension_filters.cel',
      'envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter',
      { expression },
    ),
  }
}

function and(filters: readonly Proto[]): Proto {
  return { and_filter: { filters } }
}

function or(filters: readonly Proto[]): Proto {
  return { or_filter: { filters } }
}
