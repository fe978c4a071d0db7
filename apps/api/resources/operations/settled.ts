import type { MutationResult } from './mutation.ts'

/** What was done, of a noun that no reconciler has to bring about. */
export function settled(kind: string, id: string, generation: number): MutationResult {
  return { subject: { kind, id, generation }, settled: true }
}
