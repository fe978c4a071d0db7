export { configuredMasterKey } from './configured-master-key.ts'
export { readMasterKey } from './master-key.ts'
export { type Sealer, sealer } from './sealer.ts'
