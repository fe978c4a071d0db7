import { existsSync, realpathSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { tryLock } from '#libs/processes'
import { stopNodeAgents } from './node-agents.ts'
import { stopLeftover } from './postgres/cluster.ts'
import type { Screen } from './processes/screen.ts'

/**
 * Removes the data folder, after asking; stops what a killed launcher left running on it.
 * @returns whether it is gone.
 * @throws Error while the product runs, or when the folder is not one of ours.
 */
export async function reset(path: string, yes: boolean, screen: Screen): Promise<boolean> {
  if (!existsSync(path)) {
    screen.line(`There is no ${path}: nothing to remove.`)
    return true
  }
  const directory = realpathSync(path)
  if (!existsSync(join(directory, 'master.key')) && !existsSync(join(directory, 'run'))) {
    throw new Error(`${directory} does not look like a data folder of Aqueduct: nothing was removed.`)
  }
  const lock = await tryLock(`data folder ${directory}`)
  if (lock === undefined) throw new Error(`Aqueduct runs on ${directory}: stop it first.`)
  try {
    if (!yes && !(await confirmed(directory))) {
      screen.line('Nothing was removed.')
      return false
    }
    await stopNodeAgents(directory)
    await stopLeftover(join(directory, 'postgres'))
    rmSync(directory, { recursive: true, force: true })
    screen.line(`${directory} is removed.`)
    return true
  } finally {
    await lock.release()
  }
}

async function confirmed(directory: string): Promise<boolean> {
  if (!process.stdin.isTTY) throw new Error('There is nobody to ask: say `npm run reset -- --yes`.')
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  try {
    const question = `Remove ${directory} with every tenant, key, certificate and workflow in it? Type yes: `
    return (await terminal.question(question)).trim() === 'yes'
  } finally {
    terminal.close()
  }
}
