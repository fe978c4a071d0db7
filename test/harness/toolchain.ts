import { inject } from 'vitest'
import type { Toolchain } from '../../apps/aqueduct/toolchain/toolchain.ts'

export interface TestToolchain extends Toolchain {
  /** The `temporal` command, as a tenant would use it. */
  readonly temporalCli: string
}

/** Absolute paths of the real programs; `global-setup.ts` fetched them if need be. Not for unit and policy tests. */
export function toolchain(): TestToolchain {
  return inject('toolchain')
}
