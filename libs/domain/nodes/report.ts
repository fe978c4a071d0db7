import type { NodeStatus } from './status.ts'

/** What a node on a machine of its own says of itself: at every change, and now and then to show that it lives. */
export interface NodeReport {
  readonly state: NodeStatus['state']
  /** Of the manifest that its agent took last; −1 before the first one. */
  readonly generation: number
  /** For a person: what is not ready, and why. */
  readonly detail: string
  readonly notice?: NodeNotice
}

/** What the machine was told about itself, and nobody else. */
export interface NodeNotice {
  readonly kind: 'interruption' | 'maintenance'
  /** ISO 8601: when the provider takes the machine. */
  readonly at: string
  /** The provider's words: `instance-retirement`. */
  readonly detail: string
}

/** Seconds between two reports of a node about which nothing changes. */
export const reportSeconds = 10

/** Characters of each text of a report. */
export const reportTextBound = 2_000
