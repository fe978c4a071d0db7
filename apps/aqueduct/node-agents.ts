import { readdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { allGone, findAgents, findNodeProcesses, type ProcessIdentity, signalProcess } from '#libs/processes'

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
  await allGone(agents, nodeStopMs)
  await killNodes(dataDirectory)
}

/** Every process of every node at once. */
export async function killNodes(dataDirectory: string): Promise<void> {
  // Agents first: they would start again what is killed under them.
  for (const agent of await agentsOf(dataDirectory)) signalProcess(agent, 'SIGKILL')
  const left = folders(dataDirectory).flatMap((dir) => findNodeProcesses(dir))
  for (const identity of left) signalProcess(identity, 'SIGKILL')
  await allGone(left, 5_000)
}

async function agentsOf(dataDirectory: string): Promise<readonly ProcessIdentity[]> {
  return (await Promise.all(folders(dataDirectory).map(findAgents))).flat()
}

function folders(dataDirectory: string): readonly string[] {
  const nodes = join(dataDirectory, 'nodes')
  try {
    return readdirSync(nodes).map((name) => realpathSync(join(nodes, name)))
  } catch {
    return []
  }
}
