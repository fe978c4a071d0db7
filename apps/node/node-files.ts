import { chmod, lstat, mkdir, readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { NodeFile } from '#libs/domain/nodes'
import { writeFileAtomic } from '#libs/processes'

const listName = 'run/files.json'

/**
 * Makes the node's folder hold exactly these files, next to the agent's own: writes what differs, each as a whole, and
 * removes what an earlier manifest wrote and this one does not name (a key must not outlive its use).
 */
export async function writeNodeFiles(dir: string, files: readonly NodeFile[]): Promise<void> {
  const before = await writtenPaths(dir)
  const now = files.map((file) => file.path)
  // The list grows before and shrinks after, so that a crash in between forgets no file.
  await writeList(dir, [...new Set([...before, ...now])])
  for (const file of files) await writeNodeFile(dir, file)
  for (const path of before.filter((candidate) => !now.includes(candidate))) await rm(join(dir, path), { force: true })
  await writeList(dir, now)
}

/** The content of a node file with the folder's name filled in. */
export function expandDir(text: string, dir: string): string {
  return text.replaceAll('{dir}', dir)
}

async function writeNodeFile(dir: string, file: NodeFile): Promise<void> {
  const path = join(dir, file.path)
  const mode = file.secret ? 0o600 : 0o644
  await mkdirInside(dir, dirname(file.path))
  const content = expandDir(file.content, dir)
  if ((await currentContent(path)) === content) await chmod(path, mode)
  else await writeFileAtomic(path, content, { mode, durable: true })
}

/** Makes the folders of a file, and refuses to go through a symbolic link that leads elsewhere. */
async function mkdirInside(dir: string, relative: string): Promise<void> {
  if (relative === '.') return
  const parts = relative.split('/')
  for (let depth = 1; depth <= parts.length; depth++) {
    const path = join(dir, ...parts.slice(0, depth))
    await mkdir(path, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
    if (!(await lstat(path)).isDirectory()) throw new Error(`${path} is not a folder`)
  }
}

async function currentContent(path: string): Promise<string | undefined> {
  try {
    return (await lstat(path)).isFile() ? await readFile(path, 'utf8') : undefined
  } catch {
    return undefined
  }
}

async function writtenPaths(dir: string): Promise<readonly string[]> {
  try {
    const value: unknown = JSON.parse(await readFile(join(dir, listName), 'utf8'))
    return Array.isArray(value) ? value.filter((path) => typeof path === 'string') : []
  } catch {
    return []
  }
}

async function writeList(dir: string, paths: readonly string[]): Promise<void> {
  await writeFileAtomic(join(dir, listName), JSON.stringify(paths), { mode: 0o644, durable: true })
}
