import { createHash } from 'node:crypto'
import type { NodeFile, NodeProcess } from '#libs/domain/nodes'

/**
 * A hash of everything that a process takes up only by being started again. It stands in the pid file, so that an agent
 * that finds the process alive knows whether it runs what the manifest asks for, whatever happened in between.
 */
export function fingerprint(process: NodeProcess, files: readonly NodeFile[]): string {
  const contents = process.restartOn.map((path) => [path, files.find((file) => file.path === path)?.content])
  const all = [process.command, process.args, Object.entries(process.env).sort(), process.readyPort, contents]
  return createHash('sha256').update(JSON.stringify(all)).digest('hex')
}
