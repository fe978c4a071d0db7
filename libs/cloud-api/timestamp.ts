import type { google } from '@temporalio/proto'
import Long from 'long'

/** Milliseconds are all that a `Date` has. */
export function toTimestamp(date: Date): google.protobuf.ITimestamp {
  const ms = date.getTime()
  const seconds = Math.floor(ms / 1000)
  return { seconds: Long.fromNumber(seconds), nanos: (ms - seconds * 1000) * 1_000_000 }
}

/** Cuts below the millisecond. Undefined for a time that was not sent. */
export function fromTimestamp(timestamp: google.protobuf.ITimestamp | null | undefined): Date | undefined {
  if (timestamp === null || timestamp === undefined) return undefined
  return new Date(Number(timestamp.seconds ?? 0) * 1000 + Math.floor((timestamp.nanos ?? 0) / 1_000_000))
}
