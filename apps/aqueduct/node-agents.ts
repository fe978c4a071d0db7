import { readdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { findByEnvironment, isRunning, type ProcessIdentity, readPidFile, signalProcess } from '#libs/processes'
import { until } from './processes/until.ts'

/** From SIGTERM to SIGKILL for a node: longer than its processes' own times together. */
const nodeStopMs = 45_000

/**
 * Stops every node of the local driver on this data folder: the agents end their processes in order, and whatever is
 * left after that is killed. They are found by pid file and by the marks that the local driver and the agents put in
 * the environment, so that none is missed and no stranger is hit.
 */
export async function stopNodeAgents(dataDirectory: string): Promise<void> {
  const agents = await agentsOf(dataDirectory)
  for (const agent of agents) signalProcess(agent, 'SIGTERM')
  await until(() => !agents.some(isRunning), nodeStopMs, 50)
  await killNodes(dataDirectory)
}

/** Every process of every node at once. */
export async function killNodes(dataDirectory: string): Promise<void> {
  // Agents first: they would start again what is killed under them.
  for (const agent of await agentsOf(dataDirectory)) signalProcess(agent, 'SIGKILL')
  const left = folders(dataDirectory).flatMap((dir) => findByEnvironment(`AQUEDUCT_NODE_DIR=${dir}`))
  for (const identity of left) signalProcess(identity, 'SIGKILL')
  await until(() => !left.some(isRunning), 5_000)
}

async function agentsOf(dataDirectory: string): Promise<readonly ProcessIdentity[]> {
  const found: ProcessIdentity[] = []
  for (const dir of folders(dataDirectory)) {
    const marked = findByEnvironment(`AQUEDUCT_AGENT_DIR=${dir}`)
    const named = await readPidFile(join(dir, 'run', 'agent.pid'))
    found.push(...marked)
    if (named !== undefined && isRunning(named) && !marked.some((agent) => agent.pid === named.pid)) found.push(named)
  }
  return found
}

function folders(dataDirectory: string): readonly string[] {
  const nodes = join(dataDirectory, 'nodes')
  try {
    return readdirSync(nodes).map((name) => realpathSync(join(nodes, name)))
  } catch {
    return []
  }
}
