/** What the process that runs the provisioner is told as it starts, as JSON in its first argument. */
export interface FleetJob {
  /** As the role of the provisioner, and as the superuser. */
  readonly databaseUrl: string
  readonly adminUrl: string
  /** Whether the clock's rounds are left to the test: `pass` does them all. */
  readonly byHand: boolean
}

export type FleetQuestion = 'pass' | 'read' | 'memory'

export interface PassResult {
  /** Seconds of each round, and of all of them, one after the other. */
  readonly rounds: Readonly<Record<string, number>>
  readonly seconds: number
  /** Processor time of this process. */
  readonly cpuSeconds: number
  /** Keys of jobs that are in the queue afterwards: of a pass over a fleet at rest, none. */
  readonly queued: readonly string[]
}

export interface ReadResult {
  readonly seconds: number
  readonly rows: number
}

export interface MemoryResult {
  /** Megabytes. */
  readonly rss: number
}

export type FleetAnswer =
  /** Once, unasked: from then on it answers questions. Megabytes before the provisioner was started. */
  | { readonly kind: 'ready'; readonly rssBefore: number }
  /** Once, unasked, unless by hand: every round was through once. */
  | { readonly kind: 'first pass' }
  | ({ readonly kind: 'pass' } & PassResult)
  | ({ readonly kind: 'read' } & ReadResult)
  | ({ readonly kind: 'memory' } & MemoryResult)
