export {
  type EdgeBootstrapOptions,
  edgeFiles,
  envoyArgs,
  frontendCluster,
  http2Windows,
  renderBootstrap,
} from './bootstrap.ts'
export type { CertificateFilter } from './certificate-filter.ts'
export type { EdgeDocument } from './document.ts'
export type { EdgeIntent, EdgeNamespace, TokenTrust } from './intent.ts'
export { edgeVersionPath } from './version-path.ts'
