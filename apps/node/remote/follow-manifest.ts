import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs, coerceError } from '#libs/base'
import type { NodeManifest } from '#libs/domain/nodes'
import { writeFileAtomic } from '#libs/processes'
import type { Logger } from '#libs/telemetry'
import { askDiscovery } from '../edge/ask-discovery.ts'
import { checkManifest, readManifest } from '../manifest-file.ts'
import { type Identity, identitySource } from './identity.ts'

export interface FollowManifestOptions {
  readonly identity: Identity
  /** The node's folder. */
  readonly dir: string
  /** Told after each new manifest. */
  readonly onManifest: () => void
  readonly logger: Logger
  readonly signal: AbortSignal
}

const waitSeconds = 50
const graceMs = 15_000
const backoff = { initialMs: 500, maxMs: 10_000 }
/** Before the next question, where the server answered without news sooner than it was asked to. */
const pauseMs = 1_000
const maxBytes = 16 * 1024 * 1024

/**
 * Keeps `manifest.json` what the control plane says, until `signal` aborts. The last one stays when nobody answers, or says
 * something that is no manifest of this node: the node goes on with it, and starts with it.
 */
export async function followManifest(options: FollowManifestOptions): Promise<void> {
  const { dir, logger, signal } = options
  let failures = 0
  while (!signal.aborted) {
    try {
      const known = (await currentManifest(options))?.generation
      const manifest = await poll(options, known)
      if (failures > 0) logger.info({ failures }, 'the control plane answers again')
      failures = 0
      if (manifest === undefined) {
        await delay(pauseMs, undefined, { signal }).catch(() => undefined)
        continue
      }
      await writeFileAtomic(join(dir, 'manifest.json'), JSON.stringify(manifest), { mode: 0o600, durable: true })
      logger.info({ generation: manifest.generation }, 'there is a new manifest')
      options.onManifest()
    } catch (thrown) {
      if (signal.aborted) break
      failures += 1
      // Once an outage, not once an attempt.
      if (failures === 1) {
        logger.warn(
          { reason: coerceError(thrown).message },
          'no new manifest: the node goes on with the one that it has',
        )
      }
      await delay(backoffMs(failures, backoff), undefined, { signal }).catch(() => undefined)
    }
  }
}

/** The one on disk, if it is one of this node. */
async function currentManifest({ dir, identity }: FollowManifestOptions): Promise<NodeManifest | undefined> {
  const manifest = await readManifest(join(dir, 'manifest.json')).catch(() => undefined)
  return manifest?.nodeId === identity.nodeId ? manifest : undefined
}

/** @returns undefined when there is nothing newer. */
async function poll(options: FollowManifestOptions, known: number | undefined): Promise<NodeManifest | undefined> {
  const { identity, dir, signal } = options
  const response = await askDiscovery({
    source: identitySource(identity),
    dir,
    path: `/v1/nodes/${encodeURIComponent(identity.nodeId)}/manifest`,
    headers: { prefer: `wait=${waitSeconds}`, ...(known === undefined ? {} : { 'if-none-match': `"${known}"` }) },
    timeoutMs: waitSeconds * 1000 + graceMs,
    signal,
  })
  if (response.statusCode !== 200) {
    response.resume()
    if (response.statusCode === 304 || response.statusCode === 404) return undefined
    if (response.statusCode === 403) throw new Error('the control plane does not want this node any more')
    throw new Error(`the control plane answered ${response.statusCode}`)
  }
  const manifest = parse(await bodyOf(response))
  if (manifest.nodeId !== identity.nodeId || manifest.cellId !== identity.cellId) {
    throw new Error('the manifest is of another node')
  }
  return known === undefined || manifest.generation > known ? manifest : undefined
}

/** @throws Error that never holds the content. */
function parse(text: string): NodeManifest {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Error('the manifest is not JSON')
  }
  return checkManifest(value)
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes) throw new Error(`the manifest has more than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
