import { type EdgeRefusal, edgeOutcomes, type RefusalBatch, refusalBatchBounds } from '#libs/domain/edges'

const texts = [
  'namespaceId',
  'operation',
  'reason',
  'principalId',
  'keyId',
  'fingerprint',
  'sourceAddress',
  'requestId',
] as const
const printable = /^[\x20-\x7e]*$/
/** One entry says no more than this: what is added up in the log stays a number that makes sense. */
const maxRepeats = 1_000_000_000

/**
 * Reads a batch of refusals from a node, which is not believed more than it has to be.
 * @throws RangeError that says what is wrong, for anything that no node of ours would send.
 */
export function readRefusalBatch(value: unknown): RefusalBatch {
  const { stream, number, refusals } = record(value)
  if (typeof stream !== 'string' || !/^[0-9a-f-]{36}$/.test(stream)) throw new RangeError('the stream is no UUID')
  if (!Number.isSafeInteger(number) || Number(number) < 1) throw new RangeError('the number is not one from 1 on')
  if (!Array.isArray(refusals) || refusals.length === 0 || refusals.length > refusalBatchBounds.refusals) {
    throw new RangeError(`a batch has 1 to ${refusalBatchBounds.refusals} refusals`)
  }
  return { stream, number: Number(number), refusals: refusals.map(refusal) }
}

function refusal(value: unknown): EdgeRefusal {
  const fields = record(value)
  for (const name of texts) {
    const text = fields[name]
    if (typeof text !== 'string' || text.length > refusalBatchBounds.text || !printable.test(text)) {
      throw new RangeError(`${name} is not a short text of printable ASCII`)
    }
  }
  const { at, firstAt, repeats, outcome, severalCallers } = fields
  if (!edgeOutcomes.some((known) => known === outcome)) throw new RangeError('the outcome is none of a refusal')
  if (!isTime(at) || !(firstAt === undefined || isTime(firstAt))) throw new RangeError('a time is none')
  if (!Number.isInteger(repeats) || Number(repeats) < 1 || Number(repeats) > maxRepeats) {
    throw new RangeError('repeats is not a count')
  }
  if (severalCallers !== undefined && severalCallers !== true) throw new RangeError('severalCallers is true or absent')
  return value as EdgeRefusal
}

function isTime(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value < 8_640_000_000_000_000
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new RangeError('it is not an object')
  return value as Record<string, unknown>
}
