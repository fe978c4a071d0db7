import type { IncomingMessage } from 'node:http'
import type { EdgeSource } from '#libs/domain/nodes'
import { askDiscovery } from './ask-discovery.ts'

export interface PollOptions {
  readonly source: EdgeSource
  readonly cellId: string
  /** The node's folder. */
  readonly dir: string
  /** What the node has: asks for something else than this. */
  readonly version: string | undefined
  readonly waitSeconds: number
  readonly signal: AbortSignal
}

const graceMs = 15_000
/** Twenty times what a full cell needs. */
const maxBytes = 256 * 1024 * 1024

/**
 * Asks the discovery server once.
 * @returns the document's JSON, or undefined when nothing changed.
 * @throws Error for every other answer, or none.
 */
export async function pollEdge(options: PollOptions): Promise<string | undefined> {
  const { source, cellId, dir, version, waitSeconds, signal } = options
  const response = await askDiscovery({
    source,
    dir,
    path: `/v1/cells/${encodeURIComponent(cellId)}/${source.serves ?? 'edge'}`,
    headers: {
      prefer: `wait=${waitSeconds}`,
      ...(version === undefined ? {} : { 'if-none-match': `"${version}"` }),
    },
    timeoutMs: waitSeconds * 1000 + graceMs,
    signal,
  })
  if (response.statusCode === 200) return await bodyOf(response)
  response.resume()
  if (response.statusCode === 304 && version !== undefined) return undefined
  throw new Error(`the discovery server answered ${response.statusCode}`)
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes) throw new Error(`the edge document has more than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
