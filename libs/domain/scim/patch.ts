import { attribute, objectOf } from './json.ts'
import { ScimError } from './scim-error.ts'

/** One operation of a PATCH (RFC 7644, 3.5.2). */
export interface PatchOperation {
  readonly op: 'add' | 'replace' | 'remove'
  /** As it was sent, without the schema's URN; empty: `value` names the attributes itself. */
  readonly path: string
  readonly value: unknown
}

const maxOperations = 1000
const urn = /^urn:ietf:params:scim:schemas:core:2\.0:(user|group):/i

/** @throws ScimError `invalidSyntax` */
export function readPatch(body: unknown): readonly PatchOperation[] {
  const operations = attribute(objectOf(body, 'the body'), 'Operations')
  if (!Array.isArray(operations) || operations.length === 0 || operations.length > maxOperations) {
    throw new ScimError('invalidSyntax', `Operations must be a list of 1 to ${maxOperations}`)
  }
  return operations.map(readOperation)
}

function readOperation(sent: unknown): PatchOperation {
  const json = objectOf(sent, 'an operation')
  // Some identity providers write "Replace".
  const op = String(attribute(json, 'op') ?? '').toLowerCase()
  if (op !== 'add' && op !== 'replace' && op !== 'remove') {
    throw new ScimError('invalidSyntax', 'op must be add, replace or remove')
  }
  const path = attribute(json, 'path') ?? ''
  if (typeof path !== 'string' || path.length > 512) throw new ScimError('invalidPath', 'path must be a text')
  if (op === 'remove' && path === '') throw new ScimError('noTarget', 'remove needs a path')
  return { op, path: path.replace(urn, ''), value: attribute(json, 'value') }
}
