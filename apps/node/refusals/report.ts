import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs, coerceError } from '#libs/base'
import type { RefusalBatch } from '#libs/domain/edges'
import type { EdgeSource } from '#libs/domain/nodes'
import type { Logger } from '#libs/telemetry'
import { askDiscovery } from '../edge/ask-discovery.ts'
import { RefusalFile } from './refusal-file.ts'
import { RefusalQueue } from './refusal-queue.ts'

export interface ReportRefusalsOptions {
  readonly source: EdgeSource
  readonly cellId: string
  /** The node's folder. */
  readonly dir: string
  readonly logger: Logger
  readonly signal: AbortSignal
  /** Milliseconds that equal refusals are folded for, where it is not the usual half minute. */
  readonly foldMs?: number
}

const lookMs = 500
/** Reads of a few megabytes at one look, so that what is on disk stays bounded whatever comes in. */
const maxReads = 32
const timeoutMs = 15_000
const backoff = { initialMs: 500, maxMs: 10_000 }
const notesFile = 'edge/refusals-notes.json'

/**
 * Reads what Envoy writes about refusals and tells the discovery server, until `signal` aborts. Each is told once: the
 * place in the file and everything that was read up to it are written down together before anything is sent, and a batch
 * has one number however often it is sent. Needs nobody to go on: while nothing is taken, the file is read all the same.
 */
export async function reportRefusals(options: ReportRefusalsOptions): Promise<void> {
  const { dir, logger, signal } = options
  const file = new RefusalFile(dir)
  await mkdir(join(dir, 'edge'), { recursive: true, mode: 0o700 })
  const queue = await RefusalQueue.open(join(dir, notesFile), { foldMs: options.foldMs })
  let failures = 0
  let nextTry = 0
  while (!signal.aborted) {
    try {
      await look(file, queue)
      if (performance.now() >= nextTry) {
        await send(options, queue)
        if (failures > 0) logger.info({ failures }, 'refusals are taken again')
        failures = 0
      }
    } catch (thrown) {
      if (signal.aborted) break
      failures += 1
      nextTry = performance.now() + backoffMs(failures, backoff)
      // Once an outage, not once an attempt.
      if (failures === 1) logger.warn({ reason: coerceError(thrown).message }, 'refusals are not told: they are kept')
    }
    await delay(lookMs, undefined, { signal }).catch(() => undefined)
  }
}

async function look(file: RefusalFile, queue: RefusalQueue): Promise<void> {
  for (let reads = 0; reads < maxReads; reads += 1) {
    const { lines, place } = await file.read(queue.place)
    queue.take(lines, place, Date.now())
    if (lines.length === 0) break
  }
  await queue.save()
}

async function send(options: ReportRefusalsOptions, queue: RefusalQueue): Promise<void> {
  for (;;) {
    const batch = await queue.next(Date.now())
    if (batch === undefined) return
    const status = await post(options, batch)
    if (status !== 204) {
      if (status !== 400 && status !== 413) throw new Error(`the discovery server answered ${status}`)
      // It will not be better the next time, and must not stop what comes after it.
      options.logger.error({ status, refusals: batch.refusals.length }, 'a batch of refusals is not taken: it is lost')
    }
    await queue.sent()
  }
}

async function post({ source, cellId, dir, signal }: ReportRefusalsOptions, batch: RefusalBatch): Promise<number> {
  const path = `/v1/cells/${encodeURIComponent(cellId)}/refusals`
  const response = await askDiscovery({
    source,
    dir,
    path,
    headers: {},
    body: JSON.stringify(batch),
    timeoutMs,
    signal,
  })
  response.resume()
  return response.statusCode ?? 0
}
