import { readFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { join } from 'node:path'
import type { EdgeSource } from '#libs/domain/nodes'

export interface DiscoveryQuestion {
  readonly source: EdgeSource
  /** The node's folder. */
  readonly dir: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** JSON; sent by POST. */
  readonly body?: string
  /** For the answer to begin and to end. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/**
 * Asks on a connection of its own, with the certificate that lies in the folder now: a renewed one needs nothing else.
 * @throws Error when there is no answer.
 */
export async function askDiscovery(question: DiscoveryQuestion): Promise<IncomingMessage> {
  const { source, dir, path, headers, body, timeoutMs, signal } = question
  const [ca, cert, key] = await Promise.all(
    [source.caFile, source.certificateFile, source.keyFile].map((file) => readFile(join(dir, file))),
  )
  return await new Promise<IncomingMessage>((resolve, reject) => {
    const call = request(new URL(path, source.url), {
      method: body === undefined ? 'GET' : 'POST',
      ca,
      cert,
      key,
      agent: false,
      minVersion: 'TLSv1.3',
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    })
    call.once('response', resolve)
    call.once('error', reject)
    call.end(body)
  })
}
