import type { Problem } from '#libs/base'
import { isNamespaceIdOf, lineMistake, paragraphMistake } from '#libs/domain/users'
import { type CustomResourceType, customResourceTypeNames } from './resource-type.ts'

/** One line of a custom role: these actions on these resources. */
export interface CustomPermission {
  readonly resourceType: CustomResourceType
  /** As the caller spelled it, and gets it back: `namespaces`, `namespace`. */
  readonly resourceTypeAsSent: string
  /** Every resource of the type, those that are made later too; `resourceIds` is empty then. */
  readonly allowAll: boolean
  readonly resourceIds: readonly string[]
  /** As the contract writes them: `cloud.namespace.get`, or `cloud.namespace.*` for all that begin so. */
  readonly actions: readonly string[]
}

/** A named bundle of permissions that a tenant gives its principals besides their account role. It only ever adds. */
export interface CustomRoleSpec {
  /** Unique among the tenant's custom roles. */
  readonly name: string
  readonly description: string
  readonly permissions: readonly CustomPermission[]
}

/** What there is to give: the names of the actions on one type of resource. */
export type CustomActionCatalogue = (resourceType: CustomResourceType) => readonly string[]

/** The public product's bounds, where it has published them: of the description and of the number of permissions. */
const maxName = 64
const maxDescription = 256
const maxPermissions = 20
/**
 * In all permissions of a role together. Roles are read at every call of whoever holds them, and compared id by id with
 * what their makers have: these bounds keep one from making calls slow.
 */
const maxActions = 100
const maxResourceIds = 100
/** Characters of one id; the longest that there are have a third of that. */
const maxResourceId = 128

/**
 * Every problem of the spec of a tenant's role, each with its path on the wire. Only what the ids say about themselves
 * is looked at here; whether a namespace is there, the store sees.
 */
export function validateCustomRole(
  spec: CustomRoleSpec,
  tenantId: string,
  actionsOn: CustomActionCatalogue,
): readonly Problem[] {
  const problems: Problem[] = []
  const report = (field: string, message: string | undefined) => {
    if (message !== undefined) problems.push({ field, message })
  }
  report('spec.name', lineMistake(spec.name, 1, maxName))
  report('spec.description', paragraphMistake(spec.description, 0, maxDescription))
  if (spec.permissions.length === 0) report('spec.permissions', 'must have at least one permission')
  if (spec.permissions.length > maxPermissions) report('spec.permissions', `at most ${maxPermissions} permissions`)
  const count = (list: 'actions' | 'resourceIds') => spec.permissions.reduce((sum, each) => sum + each[list].length, 0)
  if (count('actions') > maxActions) report('spec.permissions', `at most ${maxActions} actions in all`)
  if (count('resourceIds') > maxResourceIds) report('spec.permissions', `at most ${maxResourceIds} resource_ids in all`)
  for (const [index, permission] of spec.permissions.slice(0, maxPermissions).entries()) {
    const field = `spec.permissions[${index}]`
    report(`${field}.resources`, resourcesMistake(permission, tenantId))
    report(`${field}.actions`, actionsMistake(permission, actionsOn))
  }
  return problems
}

/** As for a new one; besides, something must change. */
export function validateCustomRoleUpdate(
  current: CustomRoleSpec,
  next: CustomRoleSpec,
  tenantId: string,
  actionsOn: CustomActionCatalogue,
): readonly Problem[] {
  const problems = validateCustomRole(next, tenantId, actionsOn)
  if (problems.length > 0) return problems
  return customRoleEquals(current, next) ? [{ field: 'spec', message: 'nothing to change' }] : []
}

/** Whether the pattern is the action's name, or its beginning and a `*`. */
export function actionMatches(pattern: string, action: string): boolean {
  return pattern === action || (pattern.endsWith('.*') && action.startsWith(pattern.slice(0, -1)))
}

function resourcesMistake(
  { resourceType, allowAll, resourceIds }: CustomPermission,
  tenantId: string,
): string | undefined {
  if (allowAll && resourceIds.length > 0) return 'resource_ids must be empty when allow_all is true'
  if (!allowAll && resourceIds.length === 0) return 'allow_all must be true when resource_ids is empty'
  if (resourceIds.some((id) => id.length > maxResourceId)) return `ids have at most ${maxResourceId} characters`
  const stranger = resourceIds.find((id) => !mayBeIdOf(resourceType, id, tenantId))
  if (stranger === undefined) return undefined
  return `${customResourceTypeNames[resourceType].words} ${JSON.stringify(stranger)} not found`
}

/** As far as an id can say it. Ids are never used twice, so that one of nothing gives nothing, ever. */
function mayBeIdOf(resourceType: CustomResourceType, id: string, tenantId: string): boolean {
  if (resourceType === 'account') return id === tenantId
  if (resourceType === 'namespace') return isNamespaceIdOf(id, tenantId)
  return id.startsWith(customResourceTypeNames[resourceType].idPrefix)
}

function actionsMistake(
  { resourceType, resourceTypeAsSent, actions }: CustomPermission,
  actionsOn: CustomActionCatalogue,
): string | undefined {
  if (actions.length === 0) return 'must have at least one action'
  const known = actionsOn(resourceType)
  const unknown = actions.find((pattern) => !known.some((action) => actionMatches(pattern, action)))
  if (unknown === undefined) return undefined
  const list = known.join(', ')
  return `invalid action: ${unknown} for resource type: ${resourceTypeAsSent}; known are ${list}, or a beginning of these with .* at its end`
}

function customRoleEquals(a: CustomRoleSpec, b: CustomRoleSpec): boolean {
  return (
    a.name === b.name &&
    a.description === b.description &&
    a.permissions.length === b.permissions.length &&
    a.permissions.every((permission, index) => permissionEquals(permission, b.permissions[index]))
  )
}

function permissionEquals(a: CustomPermission, b: CustomPermission | undefined): boolean {
  return (
    b !== undefined &&
    a.resourceTypeAsSent === b.resourceTypeAsSent &&
    a.allowAll === b.allowAll &&
    sameSet(a.resourceIds, b.resourceIds) &&
    sameSet(a.actions, b.actions)
  )
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.every((each) => b.includes(each)) && b.every((each) => a.includes(each))
}
