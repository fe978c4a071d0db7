import { readFile } from 'node:fs/promises'
import { isAbsolute, normalize } from 'node:path'
import { coerceError } from '#libs/base'
import type { EdgeSource, NodeFile, NodeManifest, NodeProcess } from '#libs/domain/nodes'

/** The agent's own files, which no manifest may replace. */
const reserved = ['manifest.json', 'status.json', 'run', 'log', 'identity'] as const
const processName = /^[a-z][a-z0-9-]{0,31}$/

/**
 * Reads and checks `<dir>/manifest.json`. It carries commands and paths, so all of it is checked before any of it acts.
 * @throws Error that says what is wrong; never with a file's content, which may be secret.
 */
export async function readManifest(path: string): Promise<NodeManifest> {
  const content = await readFile(path, 'utf8')
  let parsed: unknown
  try {
    parsed = JSON.parse(content)
  } catch {
    // The parser's own message quotes the text.
    throw new Error('manifest.json is not JSON')
  }
  try {
    return checkManifest(parsed)
  } catch (thrown) {
    throw new Error(`manifest.json: ${coerceError(thrown).message}`, { cause: thrown })
  }
}

/** @throws Error that names the field that is wrong. */
export function checkManifest(value: unknown): NodeManifest {
  const manifest = record(value, 'manifest')
  const files = list(manifest.files, 'files').map(checkFile)
  const ownKeyFiles = manifest.ownKeyFiles === undefined ? undefined : checkOwnKeyFiles(manifest.ownKeyFiles)
  const paths = [...files.map((file) => file.path), ...(ownKeyFiles ?? [])]
  const processes = list(manifest.processes, 'processes').map(checkProcess)
  unique(paths, 'files')
  unique(
    processes.map((process) => process.name),
    'processes',
  )
  for (const process of processes) {
    const unknown = process.restartOn.find((path) => !paths.includes(path))
    if (unknown !== undefined)
      throw new Error(`${process.name}.restartOn names ${unknown}, which is not among the files`)
  }
  return {
    nodeId: text(manifest.nodeId, 'nodeId'),
    cellId: text(manifest.cellId, 'cellId'),
    generation: whole(manifest.generation, 'generation', Number.MAX_SAFE_INTEGER),
    address: text(manifest.address, 'address'),
    files,
    ...(ownKeyFiles === undefined ? {} : { ownKeyFiles }),
    processes,
    ...(manifest.edge === undefined ? {} : { edge: checkEdge(manifest.edge) }),
  }
}

function checkFile(value: unknown): NodeFile {
  const file = record(value, 'file')
  const path = filePath(file.path, 'file.path')
  if (typeof file.content !== 'string') throw new Error(`${path}: content must be a string`)
  if (typeof file.secret !== 'boolean') throw new Error(`${path}: secret must be true or false`)
  return { path, content: file.content, secret: file.secret }
}

function checkOwnKeyFiles(value: unknown): readonly string[] {
  return list(value, 'ownKeyFiles').map((path) => filePath(path, 'ownKeyFiles'))
}

/** Of a file that the agent writes for a manifest. */
function filePath(value: unknown, field: string): string {
  const path = relativePath(value, field)
  const top = path.split('/')[0]
  if (reserved.some((name) => name === top)) throw new Error(`the file ${path} is the agent's own`)
  return path
}

function checkProcess(value: unknown): NodeProcess {
  const process = record(value, 'process')
  const name = text(process.name, 'process.name')
  if (!processName.test(name)) throw new Error(`process name ${JSON.stringify(name)} must match ${processName}`)
  const env = record(process.env, `${name}.env`)
  return {
    name,
    command: text(process.command, `${name}.command`),
    args: list(process.args, `${name}.args`).map((arg) => string(arg, `${name}.args`)),
    env: Object.fromEntries(Object.entries(env).map(([key, entry]) => [key, string(entry, `${name}.env.${key}`)])),
    restartOn: list(process.restartOn, `${name}.restartOn`).map((path) => relativePath(path, `${name}.restartOn`)),
    readyPort: whole(process.readyPort, `${name}.readyPort`, 65_535),
    stopMs: whole(process.stopMs, `${name}.stopMs`, 600_000),
  }
}

function checkEdge(value: unknown): EdgeSource {
  const edge = record(value, 'edge')
  return {
    ...(edge.serves === 'router' ? { serves: 'router' as const } : {}),
    url: text(edge.url, 'edge.url'),
    caFile: relativePath(edge.caFile, 'edge.caFile'),
    certificateFile: relativePath(edge.certificateFile, 'edge.certificateFile'),
    keyFile: relativePath(edge.keyFile, 'edge.keyFile'),
  }
}

/** A path below the node's folder, written in its one plain form: no way out, and no second spelling of a file. */
function relativePath(value: unknown, field: string): string {
  const path = text(value, field)
  const plain = normalize(path)
  if (isAbsolute(path) || plain !== path || plain.startsWith('..') || plain === '.' || plain.endsWith('/')) {
    throw new Error(`${field} ${JSON.stringify(path)} must be a plain path below the node's folder`)
  }
  if (path.includes('\0') || path.includes('\\')) throw new Error(`${field} holds a forbidden character`)
  return path
}

function record(value: unknown, field: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${field} must be an object`)
  return value as Record<string, unknown>
}

function list(value: unknown, field: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error(`${field} must be a list`)
  return value
}

function string(value: unknown, field: string): string {
  if (typeof value !== 'string') throw new Error(`${field} must be a string`)
  return value
}

function text(value: unknown, field: string): string {
  const read = string(value, field)
  if (read === '') throw new Error(`${field} must not be empty`)
  return read
}

function whole(value: unknown, field: string, max: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > max) {
    throw new Error(`${field} must be a whole number from 0 to ${max}`)
  }
  return value
}

function unique(names: readonly string[], field: string): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new Error(`${field} names ${twice} twice`)
}
