import type { FastifyRequest } from 'fastify'

const maxWaitSeconds = 60

/** What a poll says of itself. */
export interface LongPoll {
  /** What it has: the `ETag` of an earlier answer. */
  readonly known: string | undefined
  /** How long it waits for something else; 0 asks for what there is. */
  readonly waitMs: number
}

/** `If-None-Match`, and seconds of `Prefer: wait=N` (RFC 7240), at most a minute. */
export function longPoll(request: FastifyRequest): LongPoll {
  const { 'if-none-match': match = '', prefer = '' } = request.headers
  const seconds = /(?:^|[,;\s])wait=(\d{1,4})(?:$|[,;\s])/.exec(String(prefer))?.[1]
  return {
    known: /^"([^"]+)"$/.exec(match)?.[1],
    waitMs: Math.min(Number(seconds ?? 0), maxWaitSeconds) * 1000,
  }
}

/** Aborts when the caller is gone, or when `closing` does. */
export function whilePolled(request: FastifyRequest, closing: AbortSignal): AbortSignal {
  const gone = new AbortController()
  request.raw.once('close', () => gone.abort())
  return AbortSignal.any([closing, gone.signal])
}
