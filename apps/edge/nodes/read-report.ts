import { type NodeNotice, type NodeReport, reportTextBound } from '#libs/domain/nodes'

const fields = new Set(['state', 'generation', 'detail', 'notice'])
const noticeFields = new Set(['kind', 'at', 'detail'])
const states: readonly NodeReport['state'][] = ['starting', 'ready', 'failed', 'stopped']
const kinds: readonly NodeNotice['kind'][] = ['interruption', 'maintenance']
const isoTime = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z$/

/**
 * Reads what a node says of itself, which is not believed more than it has to be.
 * @throws RangeError that says what is wrong, for anything that no node of ours would send.
 */
export function readReport(value: unknown): NodeReport {
  const { state, generation, detail, notice } = record(value, fields)
  const known = states.find((one) => one === state)
  if (known === undefined) throw new RangeError('the state is none')
  if (!Number.isSafeInteger(generation) || Number(generation) < -1)
    throw new RangeError('the generation is no number from -1 on')
  return {
    state: known,
    generation: Number(generation),
    detail: text(detail, 'the detail'),
    ...(notice === undefined ? {} : { notice: readNotice(notice) }),
  }
}

function readNotice(value: unknown): NodeNotice {
  const { kind, at, detail } = record(value, noticeFields)
  const known = kinds.find((one) => one === kind)
  if (known === undefined) throw new RangeError('the kind of the notice is none')
  if (typeof at !== 'string' || !isoTime.test(at) || Number.isNaN(Date.parse(at))) {
    throw new RangeError('the time of the notice is none')
  }
  return { kind: known, at: new Date(at).toISOString(), detail: text(detail, 'the notice’s detail') }
}

/** Postgres takes no NUL, and a log no line that somebody else writes. */
function text(value: unknown, name: string): string {
  if (typeof value !== 'string' || value.length > reportTextBound || /\p{Cc}/u.test(value) || !value.isWellFormed()) {
    throw new RangeError(`${name} is not a text of at most ${reportTextBound} characters on one line`)
  }
  return value
}

function record(value: unknown, allowed: ReadonlySet<string>): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new RangeError('it is not an object')
  const unknown = Object.keys(value).find((name) => !allowed.has(name))
  if (unknown !== undefined) throw new RangeError('it has fields that no report has')
  return value as Record<string, unknown>
}
