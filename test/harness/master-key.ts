import { createHash } from 'node:crypto'

/** The master key of every test's installation: 32 bytes, the same in each run, and worth nothing. */
export const testMasterKey: Uint8Array = createHash('sha256').update('aqueduct tests').digest()
