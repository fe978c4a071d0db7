export {
  cellCacheMs,
  type DesiredNamespace,
  type NamespaceStep,
  type ObservedAtEdge,
  type ObservedInCell,
  type ObservedNamespace,
  plan,
} from './plan.ts'
export { type CodecServer, type MtlsAuth, type NamespaceSpec, specEquals } from './spec.ts'
export {
  failedState,
  isServed,
  isVisible,
  type NamespaceState,
  namespaceMayBecome,
  settledState,
} from './state.ts'
export { validateTags } from './tags.ts'
export { type NamespaceLimits, validateSpec, validateUpdate } from './validate.ts'
