import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs, coerceError } from '#libs/base'
import type { EdgeSource } from '#libs/domain/nodes'
import type { Logger } from '#libs/telemetry'
import { reportRefusals } from '../refusals/report.ts'
import { EdgeCopy } from './edge-copy.ts'
import { readEdgeDocument } from './edge-document.ts'
import { pollEdge } from './poll.ts'

export interface FollowEdgeOptions {
  readonly source: EdgeSource
  readonly cellId: string
  /** The node's own: the edge listens there. */
  readonly address: string
  /** The node's folder. */
  readonly dir: string
  readonly logger: Logger
  readonly signal: AbortSignal
}

const waitSeconds = 50
const backoff = { initialMs: 200, maxMs: 2_000 }

/**
 * Keeps the node's copy of the edge's configuration up to date until `signal` aborts, and tells the discovery server what
 * the edge refused. The last good copy stays when the
 * discovery server is gone or sends something that is none. When this returns its promise, there are files that Envoy can
 * start with: those of before, or empty ones.
 */
export function followEdge(options: FollowEdgeOptions): Promise<void> {
  const copy = new EdgeCopy(options)
  // What this throws is thrown at once: the agent takes the manifest up again.
  copy.prepare()
  return Promise.all([follow(options, copy), reportRefusals(options)]).then(() => undefined)
}

async function follow({ source, cellId, dir, logger, signal }: FollowEdgeOptions, copy: EdgeCopy): Promise<void> {
  let version: string | undefined
  let failures = 0
  while (!signal.aborted) {
    try {
      const text = await pollEdge({ source, cellId, dir, version, waitSeconds, signal })
      if (text !== undefined) {
        const document = readEdgeDocument(text, source.serves ?? 'edge')
        await copy.take(document)
        version = document.version
        logger.info({ version, bytes: text.length }, 'the edge has a new configuration')
      }
      if (failures > 0) logger.info({ failures }, 'the discovery server answers again')
      failures = 0
    } catch (thrown) {
      if (signal.aborted) break
      failures += 1
      // Once an outage, not once an attempt.
      if (failures === 1) {
        logger.warn({ reason: coerceError(thrown).message }, 'no new edge configuration: the last good one stays')
      }
      await delay(backoffMs(failures, backoff), undefined, { signal }).catch(() => undefined)
    }
  }
  copy.close()
}
