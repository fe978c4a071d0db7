import { hasEdge, type NodeRole } from '#libs/domain/nodes'

/**
 * Edges know within a second that a frontend drains; calls that it has taken end within a few more. Long polls do not, and need
 * not: whoever polls is told to poll again when the server stops.
 */
const callsEndMs = 5_000
/** Twice the minute for which resolvers may keep an address, so that clients that look a name up anew find another edge. */
const namesFollowMs = 120_000

/**
 * How long a node drains before it is deleted, in milliseconds. Connections live on with an edge for all that time, and its
 * name is gone from DNS from the beginning.
 * @param isNamed its public address is in a DNS that we keep.
 */
export function drainMs(role: NodeRole, isNamed: boolean): number {
  return hasEdge(role) && isNamed ? namesFollowMs : callsEndMs
}
