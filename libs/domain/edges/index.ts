export {
  type EdgeBootstrapOptions,
  edgeFiles,
  envoyArgs,
  frontendCluster,
  http2Windows,
  renderBootstrap,
  scopedRoutes,
} from './bootstrap.ts'
export type { CertificateFilter } from './certificate-filter.ts'
export type { EdgeDocument } from './document.ts'
export type { EdgeIntent, EdgeNamespace, EdgeNexus, EdgeNexusEndpoint, TokenTrust } from './intent.ts'
export {
  type NexusSecret,
  nexusCallbackHost,
  nexusCallbackPattern,
  nexusEndpointHost,
  nexusEndpointUrl,
  nexusProbeHost,
  nexusProxyAuthorization,
  nexusProxyUrl,
  nexusTokenPrefix,
} from './nexus-names.ts'
export {
  luaMetadata,
  type NexusRouterOptions,
  nexusCluster,
  nexusScope,
  operationTokenHeader,
  scopeHeader,
} from './nexus-router.ts'
export { linkFieldTypes, type PrivateLink, type ProxyField, proxyFieldOf } from './private-link.ts'
export { proxyHeader } from './proxy-header.ts'
export { type EdgeRefusal, edgeOutcomes, type RefusalBatch, refusalBatchBounds } from './refusal.ts'
export { edgeVersionPath } from './version-path.ts'
