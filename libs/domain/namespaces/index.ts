export type { CodecServer, MtlsAuth, NamespaceSpec } from './spec.ts'
export type { NamespaceState } from './state.ts'
