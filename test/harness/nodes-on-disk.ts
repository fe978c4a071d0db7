import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { findNodeProcesses } from '#libs/processes'

/** Every node that the local driver keeps a folder of, by id, with how many processes of it live. */
export function nodesOnDisk(dataDirectory: string): readonly (readonly [id: string, processes: number])[] {
  const folder = join(dataDirectory, 'nodes')
  return readdirSync(folder)
    .toSorted()
    .map((id) => [id, findNodeProcesses(join(folder, id)).length] as const)
}
