export { configuredMasterKey } from './configured-master-key.ts'
export { readMasterKey } from './master-key.ts'
export { SealError, type SealErrorKind } from './seal-error.ts'
export { type Sealer, sealer } from './sealer.ts'
