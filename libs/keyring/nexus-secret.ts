import type { NexusSecret } from '#libs/domain/edges'
import type { Sealer } from '#libs/sealing'

/** What a cell's Nexus router and those who may ask it have in common. Worked out anew by each of them, and kept nowhere. */
export function nexusSecret(sealer: Sealer, cellId: string): NexusSecret {
  return sealer.derive(`cells/${cellId}/nexus`)
}
