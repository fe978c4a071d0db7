import type { NodeNotice } from '#libs/domain/nodes'

/** `spot/instance-action`: `{"action": "terminate", "time": "2026-01-02T03:04:05Z"}`, two minutes ahead. */
export function readInstanceAction(text: string | undefined): NodeNotice | undefined {
  const { action, time } = (parse(text) ?? {}) as Readonly<Record<string, unknown>>
  const at = isoTime(time)
  if (typeof action !== 'string' || at === undefined) return undefined
  return { kind: 'interruption', at, detail: `spot-${action}` }
}

/**
 * `events/maintenance/scheduled`: a list of `{"Code", "Description", "NotBefore", "State"}`, weeks ahead. Of those that are
 * still to come, the first.
 */
export function readScheduledEvents(text: string | undefined): NodeNotice | undefined {
  const events = parse(text)
  if (!Array.isArray(events)) return undefined
  const notices = events.flatMap((event: unknown): NodeNotice[] => {
    const { Code: code, NotBefore: notBefore, State: state } = (event ?? {}) as Readonly<Record<string, unknown>>
    const at = isoTime(notBefore)
    if (typeof code !== 'string' || state !== 'active' || at === undefined) return []
    return [{ kind: 'maintenance', at, detail: code }]
  })
  return notices.toSorted((one, other) => one.at.localeCompare(other.at))[0]
}

function parse(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as unknown)
  } catch {
    return undefined
  }
}

/** EC2 writes one of them as ISO 8601, and the other as `21 Jan 2026 09:00:43 GMT`. */
function isoTime(value: unknown): string | undefined {
  const time = typeof value === 'string' ? Date.parse(value) : Number.NaN
  return Number.isNaN(time) ? undefined : new Date(time).toISOString()
}
