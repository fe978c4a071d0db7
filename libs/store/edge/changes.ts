import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { coerceError } from '#libs/base'

export interface EdgeChangesOptions {
  readonly url: string
  /** A cell id, or `*` when any cell may have changed. */
  readonly onChange: (cellId: string) => void
  /** A node id, or `*` when any node may have another manifest (migration 0021). */
  readonly onManifest?: (nodeId: string) => void
  readonly onLoss: (error: Error) => void
  readonly signal: AbortSignal
}

/** Milliseconds between two questions whether the connection still lives; a dead one is replaced within twice that. */
const heartbeatMs = 1_000
const reconnectMs = 250

/**
 * Tells of every change that edges have to follow, as it commits (migration 0006 sends them). What was said while there
 * was no connection is lost, so a new connection begins with `*`. Resolves when the signal is aborted.
 */
export async function listenForEdgeChanges(options: EdgeChangesOptions): Promise<void> {
  while (!options.signal.aborted) {
    try {
      await listenOnce(options)
    } catch (thrown) {
      if (options.signal.aborted) return
      options.onLoss(coerceError(thrown))
      await sleep(reconnectMs, undefined, { signal: options.signal }).catch(() => undefined)
    }
  }
}

async function listenOnce({ url, onChange, onManifest, signal }: EdgeChangesOptions): Promise<void> {
  const client = new Client({
    connectionString: url,
    application_name: 'aqueduct-edge-changes',
    keepAlive: true,
    connectionTimeoutMillis: 5_000,
    query_timeout: 5_000,
  })
  const lost = new Promise<never>((_, reject) => {
    client.on('error', reject)
    client.on('end', () => reject(new Error('the connection ended')))
  })
  // Whoever waits sees the rejection below; nobody may be waiting yet.
  lost.catch(() => undefined)
  try {
    await client.connect()
    client.on('notification', ({ channel, payload }) => {
      if (channel === 'aqueduct_nodes') onManifest?.(payload ?? '*')
      else onChange(payload ?? '*')
    })
    await client.query('listen aqueduct_edge')
    if (onManifest !== undefined) await client.query('listen aqueduct_nodes')
    onChange('*')
    onManifest?.('*')
    while (!signal.aborted) {
      await Promise.race([sleep(heartbeatMs, undefined, { signal }).catch(() => undefined), lost])
      if (!signal.aborted) await client.query('select 1')
    }
  } finally {
    await client.end().catch(() => undefined)
  }
}
