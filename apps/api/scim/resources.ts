import type { UserGroupRow } from '#libs/store/user-groups'
import type { UserRow } from '#libs/store/users'

export const userSchema = 'urn:ietf:params:scim:schemas:core:2.0:User'
export const groupSchema = 'urn:ietf:params:scim:schemas:core:2.0:Group'

export function userResource(row: UserRow): object {
  return {
    schemas: [userSchema],
    id: row.id,
    ...(row.scim_external_id === null ? {} : { externalId: row.scim_external_id }),
    userName: row.email,
    active: row.deactivated_at === null,
    emails: [{ value: row.email, type: 'work', primary: true }],
    meta: metaOf('User', row),
  }
}

/** @param members ids of users; undefined: the caller wants none. */
export function groupResource(row: UserGroupRow, members: readonly string[] | undefined): object {
  return {
    schemas: [groupSchema],
    id: row.id,
    ...(row.scim_idp_id === null ? {} : { externalId: row.scim_idp_id }),
    displayName: row.display_name,
    ...(members === undefined
      ? {}
      : { members: members.map((value) => ({ value, type: 'User', $ref: `/scim/v2/Users/${value}` })) }),
    meta: metaOf('Group', row),
  }
}

function metaOf(
  resourceType: 'User' | 'Group',
  row: { readonly id: string; readonly created_at: Date; readonly updated_at: Date | null },
): object {
  return {
    resourceType,
    created: row.created_at.toISOString(),
    lastModified: (row.updated_at ?? row.created_at).toISOString(),
    location: `/scim/v2/${resourceType}s/${row.id}`,
  }
}
