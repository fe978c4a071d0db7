import { chmodSync, existsSync, mkdirSync, readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { type Lock, tryLock } from '#libs/processes'

/**
 * Makes the data folder and takes it for this process alone; the kernel gives it back when the process ends.
 * @throws Error that names who has it.
 */
export async function takeDataFolder(path: string): Promise<{ readonly directory: string; readonly lock: Lock }> {
  mkdirSync(path, { recursive: true })
  // The system user of the embedded Postgres has to pass through to its own folder; nothing else lets it in.
  chmodSync(path, process.getuid?.() === 0 ? 0o711 : 0o700)
  const directory = realpathSync(path)
  const lock = await tryLock(`data folder ${directory}`)
  if (lock === undefined) {
    const pid = launcherPid(directory)
    const who = pid === undefined ? 'another process' : `pid ${pid}: \`kill ${pid}\` stops it`
    throw new Error(`Aqueduct already runs on ${directory} (${who}). Set AQUEDUCT_DATA_DIR to run a second one.`)
  }
  for (const folder of ['log', 'run']) mkdirSync(join(directory, folder), { recursive: true, mode: 0o700 })
  return { directory, lock }
}

/** Where the launcher writes its pid, for people and for the message above; the lock is what counts. */
export function launcherPidFile(directory: string): string {
  return join(directory, 'run', 'launcher.pid')
}

function launcherPid(directory: string): number | undefined {
  const file = launcherPidFile(directory)
  if (!existsSync(file)) return undefined
  const { pid } = JSON.parse(readFileSync(file, 'utf8')) as { pid?: unknown }
  return typeof pid === 'number' ? pid : undefined
}
