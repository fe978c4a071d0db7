import type { Problem } from '#libs/base'

/** What a caller asks a Nexus endpoint to be. */
export interface NexusEndpointSpec {
  /** Unique within the account. */
  readonly name: string
  /** The bytes of a Payload message; undefined when there is none, which is not the same as an empty one. */
  readonly description?: Uint8Array
  readonly targetNamespaceId: string
  readonly targetTaskQueue: string
  /** Namespaces that may call it, in the order of the request. */
  readonly allowedNamespaceIds: readonly string[]
}

const namePattern = /^[a-zA-Z][a-zA-Z0-9-]*[a-zA-Z0-9]$/
/** Characters; the cell's own limit (`limit.endpointNameMaxLength`). */
const maxNameLength = 200
/** Characters; the cell's own limit for the names of task queues. */
const maxTaskQueueLength = 1000
/** Bytes, metadata included; the cell's own limit. */
const maxDescriptionBytes = 20_000
/** Each stands in the routes of every node of the cell, for this endpoint and for all of the account. */
const maxAllowedNamespaces = 100
export const maxCallersOfAccount = 2_000

/** Everything that is wrong with the spec by itself; whether its namespaces are there is for the store to say. */
export function validateNexusEndpointSpec(spec: NexusEndpointSpec): Problem[] {
  const problems: Problem[] = []
  const report = (field: string, message: string) => problems.push({ field, message })
  if (!namePattern.test(spec.name) || spec.name.length > maxNameLength) {
    report(
      'spec.name',
      `must be 2 to ${maxNameLength} letters, digits and hyphens, begin with a letter and end with a letter or digit`,
    )
  }
  if ((spec.description?.byteLength ?? 0) > maxDescriptionBytes) {
    report('spec.description', `must be at most ${maxDescriptionBytes} bytes`)
  }
  if (spec.targetNamespaceId === '') report('spec.target_spec.worker_target_spec.namespace_id', 'must be given')
  validateTaskQueue(spec.targetTaskQueue, report)
  validateCallers(spec.allowedNamespaceIds, report)
  return problems
}

type Report = (field: string, message: string) => void

function validateTaskQueue(name: string, report: Report): void {
  const field = 'spec.target_spec.worker_target_spec.task_queue'
  if (name === '') return void report(field, 'must be given')
  if (name.length > maxTaskQueueLength) report(field, `must be at most ${maxTaskQueueLength} characters`)
  // The names under which the cell keeps parts of queues: they are no task queues of a worker.
  else if (name.startsWith('/_sys/')) report(field, 'must not begin with "/_sys/"')
  else if (!name.isWellFormed()) report(field, 'must be well-formed text')
}

function validateCallers(ids: readonly string[], report: Report): void {
  if (ids.length > maxAllowedNamespaces) {
    return void report('spec.policy_specs', `must be at most ${maxAllowedNamespaces}`)
  }
  const seen = new Set<string>()
  for (const [index, id] of ids.entries()) {
    const field = `spec.policy_specs[${index}].allowed_cloud_namespace_policy_spec.namespace_id`
    if (id === '') report(field, 'must be given')
    else if (seen.has(id)) report(field, `names ${JSON.stringify(id)} a second time`)
    seen.add(id)
  }
}

/** As for a new one; besides, something must be another than it is. */
export function validateNexusEndpointUpdate(current: NexusEndpointSpec, next: NexusEndpointSpec): Problem[] {
  const problems = validateNexusEndpointSpec(next)
  if (problems.length > 0) return problems
  return specEquals(current, next) ? [{ field: 'spec', message: 'nothing to change' }] : []
}

function specEquals(one: NexusEndpointSpec, other: NexusEndpointSpec): boolean {
  return (
    one.name === other.name &&
    bytesEqual(one.description, other.description) &&
    one.targetNamespaceId === other.targetNamespaceId &&
    one.targetTaskQueue === other.targetTaskQueue &&
    one.allowedNamespaceIds.join('\n') === other.allowedNamespaceIds.join('\n')
  )
}

function bytesEqual(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  if (one === undefined || other === undefined) return one === other
  return one.length === other.length && one.every((byte, index) => byte === other[index])
}
