import { mkdir, realpath } from 'node:fs/promises'
import { coerceError } from '#libs/base'
import { createLogger } from '#libs/telemetry'
import { Agent } from './agent.ts'
import { followEdge } from './edge/follower.ts'

const usage = `usage: node apps/node/main.ts <folder of the node>
       node apps/node/main.ts --join [folder of the node]
The second is for a machine of its own on EC2: it joins with what its user data says.
`
const [first, second] = process.argv.slice(2)
const isJoining = first === '--join'
const folder = isJoining ? (second ?? '/var/lib/aqueduct/node') : first
if (folder === undefined || folder.startsWith('-')) {
  process.stderr.write(usage)
  process.exit(2)
}
const logger = createLogger('node', process.env.AQUEDUCT_LOG_LEVEL ?? 'info')
if (isJoining) await mkdir(folder, { recursive: true, mode: 0o700 })
const dir = await realpath(folder)
const agent = new Agent({ dir, logger, followEdge })
const ending = new AbortController()
const stop = () => {
  ending.abort()
  agent.stop()
}
process.on('SIGTERM', stop)
process.on('SIGINT', stop)
process.on('SIGHUP', () => agent.reload())
const remote = isJoining ? await startRemote() : undefined
const end = await agent.run()
ending.abort()
await remote?.ended
if (end === 'already_running') logger.info({ dir }, 'another agent runs this node')
process.exit(end === 'already_running' ? 3 : 0)

/** Loaded only here: agents of the local driver make no keys, and there are many of them on one machine. */
async function startRemote(): Promise<{ readonly ended: Promise<void> }> {
  const { MachineMetadata } = await import('./remote/metadata.ts')
  const { isOwnFolder, remoteNode } = await import('./remote/remote-node.ts')
  const metadata = new MachineMetadata(process.env.AQUEDUCT_METADATA_URL ?? 'http://169.254.169.254')
  if (!(await isOwnFolder(dir, metadata))) {
    logger.error(
      { dir },
      'the folder is of another machine: empty it, and this machine joins as the node that it was launched for',
    )
    process.exit(4)
  }
  const running = remoteNode({ dir, metadata, logger, signal: ending.signal, onManifest: () => agent.reload() })
  const ended = running.catch((thrown: unknown) =>
    logger.error({ err: coerceError(thrown) }, 'the node does not follow the control plane'),
  )
  return { ended }
}
