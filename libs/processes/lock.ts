import { createHash } from 'node:crypto'
import { createServer, type Server } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

export interface Lock {
  release(): Promise<void>
}

/**
 * A lock between processes of this machine. It is a listening socket in Linux' abstract namespace: the kernel gives a
 * name to one process, and takes it back when that process dies, whatever way. A lock file would be left behind by
 * `kill -9`, and two processes that find it stale at once cannot both be stopped from taking it over.
 * @returns undefined when somebody else holds it.
 */
export async function tryLock(name: string): Promise<Lock | undefined> {
  const server = createServer((socket) => socket.destroy())
  const path = `\0aqueduct-${createHash('sha256').update(name).digest('hex').slice(0, 40)}`
  const taken = await new Promise<boolean>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(false) : reject(error),
    )
    server.listen({ path }, () => resolve(true))
  })
  if (!taken) return undefined
  // The lock alone keeps no process alive.
  server.unref()
  return { release: () => close(server) }
}

/** Waits for the lock. @throws Error when it is not free after `timeoutMs`. */
export async function acquireLock(name: string, timeoutMs: number): Promise<Lock> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const lock = await tryLock(name)
    if (lock !== undefined) return lock
    if (performance.now() > deadline) throw new Error(`the lock ${name} is held by another process`)
    await delay(20)
  }
}

function close(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error === undefined ? resolve() : reject(error)))
  })
}
