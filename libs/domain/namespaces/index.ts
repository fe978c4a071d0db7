export {
  actionsPerSecond,
  type Capacity,
  capacityUnits,
  requestLimits,
} from './capacity.ts'
export { type CellLimits, cellLimitsOf } from './cell-limits.ts'
export {
  type Aliases,
  cellCacheMs,
  type DesiredNamespace,
  type NamespaceStep,
  type ObservedAtEdge,
  type ObservedInCell,
  type ObservedLimits,
  type ObservedName,
  type ObservedNamespace,
  plan,
} from './plan.ts'
export {
  aliasesOf,
  renamed,
  renameProblems,
  type SearchAttributes,
  type SearchAttributeType,
  searchAttributeColumn,
  searchAttributeLimits,
  withColumns,
} from './search-attributes.ts'
export {
  type CodecServer,
  type HighAvailability,
  type MtlsAuth,
  type NamespaceSpec,
  needsReconciling,
  specEquals,
} from './spec.ts'
export {
  failedState,
  isUnderWay,
  type NamespaceState,
  settledState,
  statesBefore,
  statesUnderWay,
} from './state.ts'
export { changedTags, validateTags } from './tags.ts'
export { type NamespaceLimits, validateNew, validateSpec, validateUpdate } from './validate.ts'
