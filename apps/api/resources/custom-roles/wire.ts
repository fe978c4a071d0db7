import { invalid, invalidField, type Problem } from '#libs/base'
import { cloud, type temporal, toTimestamp } from '#libs/cloud-api'
import {
  type CustomPermission,
  type CustomRoleSpec,
  customResourceTypeNamed,
  customResourceTypeNames,
} from '#libs/domain/custom-roles'
import type { CustomRoleRow } from '#libs/store/custom-roles'
import type { HandlersOf } from '../operations/wire.ts'

export type CustomRoleHandlers = HandlersOf<
  'CreateCustomRole' | 'GetCustomRoles' | 'GetCustomRole' | 'UpdateCustomRole' | 'DeleteCustomRole'
>

type WireSpec = temporal.api.cloud.identity.v1.ICustomRoleSpec
type WirePermission = temporal.api.cloud.identity.v1.CustomRoleSpec.IPermission

/** @throws AppError `invalid`, also for a type of resource that there is not. */
export function customRoleSpecFromWire(wire: WireSpec | null | undefined): CustomRoleSpec {
  if (wire === null || wire === undefined) throw invalidField('spec', 'must be given')
  const problems: Problem[] = []
  const permissions = (wire.permissions ?? []).flatMap((permission, index) =>
    permissionFromWire(permission, `spec.permissions[${index}].resources.resource_type`, problems),
  )
  if (problems.length > 0) throw invalid(problems)
  return { name: wire.name ?? '', description: wire.description ?? '', permissions }
}

function permissionFromWire(
  { resources, actions }: WirePermission,
  field: string,
  problems: Problem[],
): readonly CustomPermission[] {
  const resourceTypeAsSent = resources?.resourceType ?? ''
  const resourceType = customResourceTypeNamed(resourceTypeAsSent)
  if (resourceType === undefined) {
    const known = Object.values(customResourceTypeNames).map(({ wire }) => wire)
    problems.push({ field, message: `must be one of ${known.join(', ')}` })
    return []
  }
  const { resourceIds, allowAll } = resources ?? {}
  return [
    {
      resourceType,
      resourceTypeAsSent,
      allowAll: allowAll ?? false,
      resourceIds: resourceIds ?? [],
      actions: actions ?? [],
    },
  ]
}

/** The spec of a row, as an update is compared with. */
export function customRoleSpecOf({ name, description, permissions }: CustomRoleRow): CustomRoleSpec {
  return { name, description, permissions }
}

export function customRoleToWire(row: CustomRoleRow): temporal.api.cloud.identity.v1.ICustomRole {
  return {
    id: row.id,
    resourceVersion: String(row.resource_version),
    spec: {
      name: row.name,
      description: row.description,
      permissions: row.permissions.map(({ resourceTypeAsSent, resourceIds, allowAll, actions }) => ({
        resources: { resourceType: resourceTypeAsSent, resourceIds: [...resourceIds], allowAll },
        actions: [...actions],
      })),
    },
    state: cloud.resource.v1.ResourceState.RESOURCE_STATE_ACTIVE,
    createdTime: toTimestamp(row.created_at),
    ...(row.updated_at === null ? {} : { lastModifiedTime: toTimestamp(row.updated_at) }),
  }
}
