import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Environment } from '#libs/config'
import { tryLock } from '#libs/processes'
import type { Progress } from './progress.ts'

export interface InstallContext {
  /** Absolute; shared by every installation of this user. */
  readonly cacheDirectory: string
  readonly environment: Environment
  readonly progress: Progress
  readonly signal: AbortSignal
}

/**
 * Makes the folder `name` of the cache, once: `make` fills a folder beside it, which is moved to its place when it is
 * whole. Of several processes at once, one makes it and the others wait.
 * @returns the folder.
 */
export async function installOnce(
  context: InstallContext,
  name: string,
  make: (folder: string) => Promise<void>,
): Promise<string> {
  const folder = join(context.cacheDirectory, name)
  if (existsSync(folder)) return folder
  mkdirSync(context.cacheDirectory, { recursive: true })
  const lock = await waitForLock(context, folder)
  try {
    if (existsSync(folder)) return folder
    const prefix = `${name}.unfinished`
    // Whoever left one is dead: the lock is ours.
    for (const entry of readdirSync(context.cacheDirectory).filter((other) => other.startsWith(prefix))) {
      rmSync(join(context.cacheDirectory, entry), { recursive: true, force: true })
    }
    const unfinished = join(context.cacheDirectory, prefix)
    mkdirSync(unfinished)
    try {
      await make(unfinished)
      renameSync(unfinished, folder)
    } finally {
      rmSync(unfinished, { recursive: true, force: true })
    }
    return folder
  } finally {
    await lock.release()
  }
}

async function waitForLock(context: InstallContext, folder: string): Promise<{ release(): Promise<void> }> {
  const name = `install ${folder}`
  const atOnce = await tryLock(name)
  if (atOnce !== undefined) return atOnce
  const task = context.progress.begin(`waiting for another Aqueduct that makes ${folder}`, 1)
  try {
    for (;;) {
      await delay(500, undefined, { signal: context.signal })
      const lock = await tryLock(name)
      if (lock !== undefined) return lock
    }
  } finally {
    task.end()
  }
}
