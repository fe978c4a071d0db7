import type { Problem } from '#libs/base'
import {
  type AccessSpec,
  accessEquals,
  isNamespaceIdOf,
  lineMistake,
  type NamespacePermission,
  paragraphMistake,
  validateAccess,
} from '#libs/domain/users'

/** A machine of a tenant: either of the whole account (`access`) or of one namespace, and that for good. */
export interface ServiceAccountSpec {
  /** Unique among the tenant's service accounts that are not deleted. */
  readonly name: string
  readonly description: string
  readonly access?: AccessSpec
  readonly namespaceScopedAccess?: NamespaceScopedAccess
}

export interface NamespaceScopedAccess {
  readonly namespaceId: string
  readonly permission: NamespacePermission
}

/** `deleted` is a tombstone; its keys are deleted with it. */
export type ServiceAccountState = 'active' | 'deleted'

export function validateServiceAccountSpec(spec: ServiceAccountSpec, tenantId: string): Problem[] {
  const problems: Problem[] = []
  const report = (field: string, message: string | undefined) => {
    if (message !== undefined) problems.push({ field, message })
  }
  report('spec.name', lineMistake(spec.name, 1, 64))
  report('spec.description', paragraphMistake(spec.description, 0, 512))
  if ((spec.access === undefined) === (spec.namespaceScopedAccess === undefined)) {
    report('spec.access', 'exactly one of access and namespace_scoped_access must be given')
  }
  if (spec.access !== undefined) problems.push(...validateAccess(spec.access, 'spec.access', tenantId))
  const scoped = spec.namespaceScopedAccess
  if (scoped !== undefined && !isNamespaceIdOf(scoped.namespaceId, tenantId)) {
    report('spec.namespace_scoped_access.namespace', `namespace ${JSON.stringify(scoped.namespaceId)} not found`)
  }
  return problems
}

/** As for a new one; besides, the kind and the namespace of a scoped account never change, and something must. */
export function validateServiceAccountUpdate(
  current: ServiceAccountSpec,
  next: ServiceAccountSpec,
  tenantId: string,
): Problem[] {
  const problems = validateServiceAccountSpec(next, tenantId)
  if (problems.length > 0) return problems
  if ((current.access === undefined) !== (next.access === undefined)) {
    return [
      { field: 'spec.access', message: 'an account of the whole account cannot become one of a namespace, nor back' },
    ]
  }
  if (current.namespaceScopedAccess?.namespaceId !== next.namespaceScopedAccess?.namespaceId) {
    return [{ field: 'spec.namespace_scoped_access.namespace', message: 'cannot be changed' }]
  }
  return serviceAccountSpecEquals(current, next) ? [{ field: 'spec', message: 'nothing to change' }] : []
}

function serviceAccountSpecEquals(a: ServiceAccountSpec, b: ServiceAccountSpec): boolean {
  const sameAccess =
    a.access === undefined || b.access === undefined ? a.access === b.access : accessEquals(a.access, b.access)
  return (
    a.name === b.name &&
    a.description === b.description &&
    sameAccess &&
    a.namespaceScopedAccess?.namespaceId === b.namespaceScopedAccess?.namespaceId &&
    a.namespaceScopedAccess?.permission === b.namespaceScopedAccess?.permission
  )
}
