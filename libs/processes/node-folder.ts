import { join } from 'node:path'
import { findByEnvironment } from './find.ts'
import { isRunning, type ProcessIdentity } from './identity.ts'
import { readPidFile } from './pid-file.ts'

/**
 * How the processes of a local node are found again by whoever did not start them: agent, driver and launcher keep to
 * this. Folders are real paths, since marks are compared as text.
 */

/** In the environment of a node's agent: the node's folder. */
export const agentMark = 'AQUEDUCT_AGENT_DIR'
/** In the environment of every process that an agent starts: the node's folder. */
export const nodeMark = 'AQUEDUCT_NODE_DIR'

/** Where an agent says that it has the folder. */
export function agentPidFile(dir: string): string {
  return join(dir, 'run', 'agent.pid')
}

/** The agents of a node that live, by mark and by pid file: one may have died between starting and writing the latter. */
export async function findAgents(dir: string): Promise<readonly ProcessIdentity[]> {
  const marked = findByEnvironment(`${agentMark}=${dir}`)
  const named = await readPidFile(agentPidFile(dir))
  if (named === undefined || !isRunning(named) || marked.some((agent) => agent.pid === named.pid)) return marked
  return [...marked, named]
}

/** What the agents of a node started and what lives. */
export function findNodeProcesses(dir: string): readonly ProcessIdentity[] {
  return findByEnvironment(`${nodeMark}=${dir}`)
}
