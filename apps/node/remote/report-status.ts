import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs, coerceError } from '#libs/base'
import { type NodeNotice, type NodeReport, type NodeStatus, reportSeconds, reportTextBound } from '#libs/domain/nodes'
import type { Logger } from '#libs/telemetry'
import { askDiscovery } from '../edge/ask-discovery.ts'
import { type Identity, identitySource } from './identity.ts'

export interface ReportStatusOptions {
  readonly identity: Identity
  /** The node's folder. */
  readonly dir: string
  readonly notice: () => NodeNotice | undefined
  readonly logger: Logger
  readonly signal: AbortSignal
}

const lookMs = 500
const timeoutMs = 10_000
const backoff = { initialMs: 500, maxMs: reportSeconds * 1_000 }

/** Tells the control plane how the node is, at every change and every ten seconds, until `signal` aborts. */
export async function reportStatus(options: ReportStatusOptions): Promise<void> {
  const { dir, notice, logger, signal } = options
  const since = Date.now()
  let told = ''
  let toldAt = Number.NEGATIVE_INFINITY
  let failures = 0
  while (!signal.aborted) {
    try {
      const report = await currentReport(dir, since, notice())
      const text = report === undefined ? told : JSON.stringify(report)
      const isDue = performance.now() - toldAt >= reportSeconds * 1_000
      if (text !== '' && (text !== told || isDue)) {
        await post(options, text)
        told = text
        toldAt = performance.now()
        if (failures > 0) logger.info({ failures }, 'reports are taken again')
        failures = 0
      }
    } catch (thrown) {
      if (signal.aborted) break
      failures += 1
      if (failures === 1) logger.warn({ reason: coerceError(thrown).message }, 'the node’s report is not taken')
      await delay(backoffMs(failures, backoff), undefined, { signal }).catch(() => undefined)
    }
    await delay(lookMs, undefined, { signal }).catch(() => undefined)
  }
}

/** @returns undefined while the agent has a manifest and has said nothing about it yet. */
async function currentReport(
  dir: string,
  since: number,
  notice: NodeNotice | undefined,
): Promise<NodeReport | undefined> {
  const noticed = notice === undefined ? {} : { notice }
  const status = await readStatus(dir)
  // What an earlier agent wrote says nothing about now.
  if (status !== undefined && Date.parse(status.updatedAt) >= since) {
    const { state, generation, detail } = status
    return { state, generation, detail: oneLine(detail), ...noticed }
  }
  const hasManifest = await stat(join(dir, 'manifest.json')).then(
    () => true,
    () => false,
  )
  if (hasManifest) return undefined
  return { state: 'starting', generation: -1, detail: 'it has no manifest yet', ...noticed }
}

async function readStatus(dir: string): Promise<NodeStatus | undefined> {
  try {
    return JSON.parse(await readFile(join(dir, 'status.json'), 'utf8')) as NodeStatus
  } catch {
    return undefined
  }
}

function oneLine(text: string): string {
  return text
    .replace(/\p{Cc}+/gu, ' ')
    .slice(0, reportTextBound)
    .toWellFormed()
}

async function post({ identity, dir, signal }: ReportStatusOptions, body: string): Promise<void> {
  const path = `/v1/nodes/${encodeURIComponent(identity.nodeId)}/status`
  const source = identitySource(identity)
  const response = await askDiscovery({ source, dir, path, headers: {}, body, timeoutMs, signal })
  response.resume()
  if (response.statusCode !== 204) throw new Error(`the control plane answered ${response.statusCode}`)
}
