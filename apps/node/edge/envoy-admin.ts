import { type FileHandle, open } from 'node:fs/promises'
import { request } from 'node:http'
import { basename, dirname, join } from 'node:path'
import { edgeFiles } from '#libs/domain/edges'

/** What Envoy made of the listeners' files that it has read since it started. */
export interface ListenerUpdates {
  /** The version of the last file that it took; '' before the first. */
  readonly version: string
  /** Files that it did not take. */
  readonly refusals: number
}

/** A socket's path may have 107 characters on Linux, 103 elsewhere. */
const maxSocketPath = 103
/** Envoy's main thread answers, which a file of a thousand chains keeps busy for a while. */
const timeoutMs = 10_000

/**
 * @param dir the node's folder
 * @returns undefined when Envoy does not run, or does not answer.
 */
export async function listenerUpdates(dir: string): Promise<ListenerUpdates | undefined> {
  const text = await ask(dir, '/stats?filter=%5Elistener_manager%5C.lds%5C.')
  if (text === undefined) return undefined
  const statistic = (name: string): string | undefined =>
    new RegExp(`^listener_manager\\.lds\\.${name}: "?([^"\\n]*)"?$`, 'm').exec(text)?.[1]
  return {
    version: statistic('version_text') ?? '',
    refusals: Number(statistic('update_rejected') ?? 0) + Number(statistic('update_failure') ?? 0),
  }
}

/** Why Envoy did not take the last file, in its words as far as these hold no content of the file. */
export async function refusalReason(dir: string): Promise<string> {
  const text = await ask(dir, '/config_dump?resource=dynamic_listeners&mask=error_state.details')
  const details = /"details":\s*("(?:[^"\\]|\\.)*")/.exec(text ?? '')?.[1]
  return details === undefined ? 'Envoy does not say why' : withoutContent(JSON.parse(details) as string)
}

/**
 * Envoy's words end where they quote: a validation error repeats the whole message after it, with keys and tokens, as
 * text with braces and quotation marks.
 */
export function withoutContent(details: string): string {
  return (/^[^"{\n]*?(?=-----|eyJ|["{\n]|$)/.exec(details)?.[0] ?? '').slice(0, 300).trim()
}

/** Has Envoy open the files anew that it writes. Nothing happens when it does not run: the next one opens new ones. */
export async function reopenLogs(dir: string): Promise<void> {
  await ask(dir, '/reopen_logs', 'POST')
}

async function ask(dir: string, path: string, method = 'GET'): Promise<string | undefined> {
  const socket = join(dir, edgeFiles.admin)
  let folder: FileHandle | undefined
  try {
    // Too long a path is shortened by way of its open folder.
    if (Buffer.byteLength(socket) > maxSocketPath) folder = await open(dirname(socket))
    return await get(folder === undefined ? socket : `/proc/self/fd/${folder.fd}/${basename(socket)}`, path, method)
  } catch {
    return undefined
  } finally {
    await folder?.close()
  }
}

async function get(socketPath: string, path: string, method: string): Promise<string | undefined> {
  return await new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs)
    const call = request({ socketPath, path, method, agent: false, signal }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.once('error', reject)
      response.once('end', () =>
        resolve(response.statusCode === 200 ? Buffer.concat(chunks).toString('utf8') : undefined),
      )
    })
    call.once('error', reject)
    call.end()
  })
}
