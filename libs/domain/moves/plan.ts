import { assertNever } from '#libs/base'
import { isAbortable, type MoveState } from './state.ts'

/** A namespace as one of the two cells sees it. */
export type SeenOnCell =
  | { readonly kind: 'absent' }
  | { readonly kind: 'present'; readonly clusters: readonly string[]; readonly active: string }

export interface MoveFacts {
  readonly state: MoveState
  /** Milliseconds since the move came into this state. */
  readonly inStateMs: number
  /** Cluster names of the two cells. */
  readonly sourceCluster: string
  readonly targetCluster: string
  /** Whether each of the two cells knows the other at an address that is right. */
  readonly connected: boolean
  readonly onSource: SeenOnCell
  readonly onTarget: SeenOnCell
  /** The server's own workflows on the source. */
  readonly replication: WorkState
  readonly handOver: WorkState
  /** An operator wants it undone, or the tenant deletes the namespace. */
  readonly unwanted: boolean
  /** The row is on the target, and nothing is under way for it: edges and DNS lead there. */
  readonly settledOnTarget: boolean
  /** Milliseconds during which the source passes calls on after the target serves. */
  readonly passOnMs: number
}

export type WorkState = 'none' | 'running' | 'completed' | 'failed'

/** One idempotent call, one wait, or the state that comes next. */
export type MoveStep =
  | { readonly kind: 'connect' }
  /** Make the namespace a global one of both cells. */
  | { readonly kind: 'join-target' }
  /** Write everything that is there to the target; what happens from now on goes there by itself. */
  | { readonly kind: 'replicate' }
  /** Stop for a moment, until the target has everything, and have it go on there. */
  | { readonly kind: 'hand-over' }
  /** Say in the row where it is. */
  | { readonly kind: 'place' }
  | { readonly kind: 'leave-source' }
  | { readonly kind: 'delete-at-source' }
  | { readonly kind: 'leave-target' }
  | { readonly kind: 'delete-at-target' }
  | { readonly kind: 'disconnect'; readonly end: 'done' | 'aborted' }
  | { readonly kind: 'become'; readonly state: MoveState }
  | { readonly kind: 'wait'; readonly for: string }

/**
 * Milliseconds from joining to the copy of what is there: until then every history host has surely heard (it hears within
 * two seconds) that what happens has to go to the target, so that nothing falls in between.
 */
const heardOfMs = 5_000

/** What to do next. A plan is never kept: do the step, look at the world, and plan again. */
export function planMove(facts: MoveFacts): MoveStep {
  if (facts.unwanted && isAbortable(facts.state)) return { kind: 'become', state: 'aborting' }
  switch (facts.state) {
    case 'connecting':
      return planJoin(facts)
    case 'replicating':
      return facts.connected ? planReplication(facts) : { kind: 'connect' }
    case 'handing_over':
      return facts.connected ? planHandOver(facts) : { kind: 'connect' }
    case 'switching':
      return planSwitch(facts)
    case 'leaving':
      return planLeaving(facts)
    case 'aborting':
      return planAbort(facts)
    case 'done':
    case 'aborted':
      return { kind: 'wait', for: 'nothing' }
    default:
      return assertNever(facts.state)
  }
}

function planJoin({ connected, onSource, onTarget, targetCluster }: MoveFacts): MoveStep {
  if (!connected) return { kind: 'connect' }
  if (onSource.kind === 'absent') return { kind: 'wait', for: 'its cell knows the namespace' }
  if (!onSource.clusters.includes(targetCluster)) return { kind: 'join-target' }
  if (onTarget.kind === 'absent') return { kind: 'wait', for: 'the target has heard of the namespace' }
  return { kind: 'become', state: 'replicating' }
}

function planReplication({ replication, inStateMs }: MoveFacts): MoveStep {
  if (inStateMs < heardOfMs) return { kind: 'wait', for: 'every host of its cell has heard of the target' }
  if (replication === 'completed') return { kind: 'become', state: 'handing_over' }
  if (replication === 'running') return { kind: 'wait', for: 'histories are copied to the target' }
  return { kind: 'replicate' }
}

function planHandOver({ onSource, onTarget, handOver, sourceCluster, targetCluster, unwanted }: MoveFacts): MoveStep {
  if (handOver === 'running') return { kind: 'wait', for: 'the target has everything' }
  // The target's own word: the source knows of it before.
  if (onTarget.kind === 'present' && onTarget.active === targetCluster) return { kind: 'place' }
  if (handOver === 'completed') return { kind: 'wait', for: 'the target has heard that it is the one' }
  // It was taken back, and holds up the tenant's calls each time that it is tried: nobody has to go on with that.
  const isTakenBack = handOver === 'failed' && onSource.kind === 'present' && onSource.active === sourceCluster
  if (unwanted && isTakenBack) return { kind: 'become', state: 'aborting' }
  return { kind: 'hand-over' }
}

function planSwitch({ settledOnTarget, inStateMs, passOnMs }: MoveFacts): MoveStep {
  if (!settledOnTarget) return { kind: 'wait', for: 'the target serves it under its name' }
  if (inStateMs < passOnMs) return { kind: 'wait', for: 'everybody has heard where it is now' }
  return { kind: 'become', state: 'leaving' }
}

function planLeaving({ connected, onSource, onTarget, sourceCluster }: MoveFacts): MoveStep {
  if (onTarget.kind === 'present' && onTarget.clusters.includes(sourceCluster)) {
    return connected ? { kind: 'leave-source' } : { kind: 'connect' }
  }
  if (onSource.kind === 'absent') return { kind: 'disconnect', end: 'done' }
  // Deleted before the source knows that it has no part in it, it would come back, or be deleted everywhere.
  if (onSource.clusters.includes(sourceCluster)) return { kind: 'wait', for: 'its old cell has heard that it left' }
  return { kind: 'delete-at-source' }
}

function planAbort({ onSource, onTarget, targetCluster }: MoveFacts): MoveStep {
  if (onSource.kind === 'present' && onSource.clusters.includes(targetCluster)) return { kind: 'leave-target' }
  if (onTarget.kind === 'absent') return { kind: 'disconnect', end: 'aborted' }
  if (onTarget.clusters.includes(targetCluster))
    return { kind: 'wait', for: 'the target has heard that it is not to be' }
  return { kind: 'delete-at-target' }
}
