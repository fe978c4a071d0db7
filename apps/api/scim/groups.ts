import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Authorized, authorize } from '#libs/authz'
import { notFound } from '#libs/base'
import { type GroupChange, groupFromScim, parseFilter, patchGroup, readPatch } from '#libs/domain/scim'
import type { Executor, Trx } from '#libs/store'
import { accessOfOne } from '#libs/store/access'
import { assertRoom } from '#libs/store/tenants'
import {
  changeGroupMembers,
  createUserGroup,
  deleteUserGroup,
  getUserGroup,
  listProvisionedGroups,
  memberIdsOf,
  type UserGroupRef,
  type UserGroupRow,
  updateUserGroup,
} from '#libs/store/user-groups'
import type { Member } from '../auth/member.ts'
import { authorizeAccess } from '../resources/identity/authorize-access.ts'
import { userGroupSpecOf } from '../resources/user-groups/wire.ts'
import { type ScimCaller, scimCallerOf } from './caller.ts'
import { change } from './change.ts'
import { listResponse, readListQuery } from './list.ts'
import { groupResource } from './resources.ts'
import type { ScimDeps } from './scim-context.ts'

type ById = { readonly Params: { readonly id: string } }

export function scimGroups(app: FastifyInstance, { database }: ScimDeps): void {
  app.get('/Groups', async (request) => {
    const { proof, tenantId } = scimCallerOf(request)
    const query = readListQuery(request.query)
    const filter = query.filter === '' ? new Map() : parseFilter(query.filter, ['displayName', 'externalId', 'id'])
    const { rows, total, members } = await database.ofTenant(tenantId, async (executor) => {
      const page = {
        id: filter.get('id'),
        displayName: filter.get('displayname'),
        idpId: filter.get('externalid'),
        offset: query.startIndex - 1,
        limit: query.count,
      }
      const found = await listProvisionedGroups(executor, proof, page)
      const ids = wantsMembers(request) ? found.rows.map((row) => row.id) : []
      return { ...found, members: await memberIdsOf(executor, proof, ids) }
    })
    const resources = rows.map((row) =>
      groupResource(row, wantsMembers(request) ? (members.get(row.id) ?? []) : undefined),
    )
    return listResponse(total, query, resources)
  })

  app.get<ById>('/Groups/:id', async (request) => {
    const caller = scimCallerOf(request)
    return database.ofTenant(caller.tenantId, async (executor) => {
      const row = await provisioned(executor, { proof: caller.proof, groupId: request.params.id })
      return describe(executor, caller, row, wantsMembers(request))
    })
  })

  app.post('/Groups', async (request, reply) => {
    const { proof, tenantId } = scimCallerOf(request)
    const { displayName, externalId, members } = groupFromScim(request.body)
    const row = await change(database, request, async (trx) => {
      await assertRoom(trx, proof, 'userGroups')
      // The contract knows a SCIM group by the identity provider's id; one without goes by its name.
      const source = { kind: 'scim', idpId: externalId ?? displayName } as const
      const made = await createUserGroup(trx, proof, { displayName, source, accountRole: 'none' })
      await changeGroupMembers(trx, { proof, groupId: made.id }, { add: new Set(members), remove: new Set() })
      return made
    })
    const resource = await database.ofTenant(tenantId, (executor) =>
      describe(executor, scimCallerOf(request), row, true),
    )
    return reply.code(201).header('location', `/scim/v2/Groups/${row.id}`).send(resource)
  })

  app.put<ById>('/Groups/:id', async (request) => {
    const { displayName, externalId, members } = groupFromScim(request.body)
    const names = { displayName, ...(externalId === undefined ? {} : { externalId }) }
    return update(request, { ...names, members, add: new Set(), remove: new Set() })
  })

  app.patch<ById>('/Groups/:id', async (request) => update(request, patchGroup(readPatch(request.body))))

  app.delete<ById>('/Groups/:id', async (request, reply) => {
    const { member, tenantId } = scimCallerOf(request)
    const proof = authorize(member, 'user_group', 'delete', { tenantId, groupId: request.params.id })
    await change(database, request, async (trx) => {
      const present = await provisioned(trx, proof)
      await authorizeGroup(trx, member, proof, present)
      await deleteUserGroup(trx, proof, String(present.resource_version))
      return present
    })
    return reply.code(204).send()
  })

  async function update(request: FastifyRequest<ById>, wanted: GroupChange): Promise<object> {
    const caller = scimCallerOf(request)
    const { member, tenantId } = caller
    // A group of owners is for owners to fill, over SCIM as anywhere.
    const proof = authorize(member, 'user_group', 'update', { tenantId, groupId: request.params.id })
    const row = await change(database, request, async (trx) => {
      const present = await provisioned(trx, proof)
      await authorizeGroup(trx, member, proof, present)
      await changeGroupMembers(trx, proof, wanted)
      const displayName = wanted.displayName ?? present.display_name
      const idpId = wanted.externalId ?? present.scim_idp_id ?? ''
      if (displayName === present.display_name && idpId === present.scim_idp_id) return present
      const accountRole = present.account_role as Parameters<typeof updateUserGroup>[2]['accountRole']
      const fields = { displayName, source: { kind: 'scim', idpId }, accountRole } as const
      return updateUserGroup(trx, proof, fields, String(present.resource_version))
    })
    return database.ofTenant(tenantId, (executor) => describe(executor, caller, row, true))
  }
}

/** Other groups are not the identity provider's. @throws AppError `not_found` */
async function provisioned(executor: Executor, ref: UserGroupRef<'read' | 'update' | 'delete'>): Promise<UserGroupRow> {
  const row = await getUserGroup(executor, ref)
  if (row.kind !== 'scim') throw notFound('user group', row.id)
  return row
}

/** Whoever fills a group gives what the group has, over SCIM as anywhere. @throws AppError `forbidden` */
async function authorizeGroup(
  trx: Trx,
  member: Member,
  proof: Authorized<'user_group', 'update'> | Authorized<'user_group', 'delete'>,
  row: UserGroupRow,
): Promise<void> {
  const access = await accessOfOne(trx, proof, row.id)
  await authorizeAccess(trx, member, { before: userGroupSpecOf(row, access).access })
}

async function describe(
  executor: Executor,
  { proof }: ScimCaller,
  row: UserGroupRow,
  withMembers: boolean,
): Promise<object> {
  if (!withMembers) return groupResource(row, undefined)
  return groupResource(row, (await memberIdsOf(executor, proof, [row.id])).get(row.id) ?? [])
}

/** Identity providers leave them out when they look for a group: there may be thousands. */
function wantsMembers(request: FastifyRequest): boolean {
  const { excludedAttributes = '' } = request.query as { readonly excludedAttributes?: unknown }
  return !String(excludedAttributes).toLowerCase().split(',').includes('members')
}
