import { realpath } from 'node:fs/promises'
import { createLogger } from '#libs/telemetry'
import { Agent } from './agent.ts'
import { followEdge } from './edge/follower.ts'

const dir = process.argv[2]
if (dir === undefined) {
  process.stderr.write('usage: node apps/node/main.ts <folder of the node>\n')
  process.exit(2)
}
const logger = createLogger('node', process.env.AQUEDUCT_LOG_LEVEL ?? 'info')
const agent = new Agent({
  dir: await realpath(dir),
  logger,
  followEdge,
})
process.on('SIGTERM', () => agent.stop())
process.on('SIGINT', () => agent.stop())
process.on('SIGHUP', () => agent.reload())
const end = await agent.run()
if (end === 'already_running') logger.info({ dir }, 'another agent runs this node')
process.exit(end === 'already_running' ? 3 : 0)
