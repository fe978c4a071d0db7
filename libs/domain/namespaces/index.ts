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
  isUnderWay,
  type NamespaceState,
  settledState,
  statesBefore,
  statesUnderWay,
} from './state.ts'
export { validateTags } from './tags.ts'
export { type NamespaceLimits, validateSpec, validateUpdate } from './validate.ts'
