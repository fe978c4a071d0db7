import type { NamespaceSpec } from '#libs/domain/namespaces'

/** Where the edge of every namespace is found. */
export interface EndpointNames {
  /** DNS domain below which every namespace has its name. */
  readonly domain: string
  /** TCP port of every edge. */
  readonly edgePort: number
}

export interface Endpoints {
  readonly webAddress: string
  /** Empty while mTLS is off. */
  readonly mtlsGrpcAddress: string
  /** Empty while API keys are off. */
  readonly grpcAddress: string
}

/** One address for both ways of authentication: `<namespace>.<tenant>.<domain>:<port>`. */
export function endpointsOf(namespaceId: string, spec: NamespaceSpec, { domain, edgePort }: EndpointNames): Endpoints {
  const address = `${namespaceId}.${domain}:${edgePort}`
  return {
    webAddress: `https://${domain}/namespaces/${namespaceId}`,
    mtlsGrpcAddress: spec.mtlsAuth.enabled ? address : '',
    grpcAddress: spec.apiKeyAuth.enabled ? address : '',
  }
}
