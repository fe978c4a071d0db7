import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Authorized, authorize } from '#libs/authz'
import { parseFilter, patchUser, readPatch, ScimError, type UserResource, userFromScim } from '#libs/domain/scim'
import { normalizeEmail } from '#libs/domain/users'
import type { Trx } from '#libs/store'
import { accessOfOne } from '#libs/store/access'
import { assertRoom } from '#libs/store/tenants'
import {
  createUser,
  deleteUser,
  getUser,
  inviteUser,
  listProvisionedUsers,
  provisionUser,
  type UserRow,
} from '#libs/store/users'
import type { Member } from '../auth/member.ts'
import { authorizeAccess } from '../resources/identity/authorize-access.ts'
import { userSpecOf } from '../resources/users/wire.ts'
import { invitationExpiry } from '../signup/invitation-token.ts'
import { scimCallerOf } from './caller.ts'
import { change } from './change.ts'
import { listResponse, readListQuery } from './list.ts'
import { userResource } from './resources.ts'
import type { ScimDeps } from './scim-context.ts'

type ById = { readonly Params: { readonly id: string } }

/** What a user that the identity provider brings may do before anybody says more. */
const roleOfNewUsers = 'read'

export function scimUsers(app: FastifyInstance, deps: ScimDeps): void {
  const { database, clock, invitationMails } = deps

  app.get('/Users', async (request) => {
    const { proof, tenantId } = scimCallerOf(request)
    const query = readListQuery(request.query)
    const filter = query.filter === '' ? new Map() : parseFilter(query.filter, ['userName', 'externalId', 'id'])
    const { rows, total } = await database.ofTenant(tenantId, (executor) =>
      listProvisionedUsers(executor, proof, {
        id: filter.get('id'),
        email: filter.get('username'),
        externalId: filter.get('externalid'),
        offset: query.startIndex - 1,
        limit: query.count,
      }),
    )
    return listResponse(total, query, rows.map(userResource))
  })

  app.get<ById>('/Users/:id', async (request) => {
    const { proof, tenantId } = scimCallerOf(request)
    const userId = request.params.id
    return userResource(await database.ofTenant(tenantId, (executor) => getUser(executor, { proof, userId })))
  })

  app.post('/Users', async (request, reply) => {
    const { proof } = scimCallerOf(request)
    const wanted = userFromScim(request.body)
    const row = await change(database, request, async (trx) => {
      await assertRoom(trx, proof, 'users')
      await assertRoom(trx, proof, 'invitations')
      const made = await createUser(trx, proof, { email: wanted.userName, accountRole: roleOfNewUsers })
      await inviteUser(trx, proof, made, invitationExpiry(clock.now()))
      return provisionUser(trx, { proof, userId: made.id }, stateOf(wanted))
    })
    invitationMails.wake()
    return created(reply, row)
  })

  app.put<ById>('/Users/:id', async (request) => update(request, () => userFromScim(request.body)))

  app.patch<ById>('/Users/:id', async (request) => {
    const operations = readPatch(request.body)
    return update(request, (present) => patchUser(present, operations))
  })

  app.delete<ById>('/Users/:id', async (request, reply) => {
    const { member, tenantId } = scimCallerOf(request)
    const proof = authorize(member, 'user', 'delete', { tenantId, userId: request.params.id })
    await change(database, request, async (trx) => {
      const present = await getUser(trx, proof)
      await authorizeUser(trx, member, proof, present)
      await deleteUser(trx, proof, String(present.resource_version))
      return present
    })
    return reply.code(204).send()
  })

  async function update(request: FastifyRequest<ById>, next: (present: UserResource) => UserResource): Promise<object> {
    const { member, tenantId } = scimCallerOf(request)
    const proof = authorize(member, 'user', 'update', { tenantId, userId: request.params.id })
    const row = await change(database, request, async (trx) => {
      const present = await getUser(trx, proof)
      const current = {
        userName: present.email,
        externalId: present.scim_external_id ?? undefined,
        active: present.deactivated_at === null,
      }
      const wanted = next(current)
      if (normalizeEmail(wanted.userName) !== normalizeEmail(current.userName)) {
        throw new ScimError('mutability', 'userName cannot be changed: delete the user, and make another one')
      }
      const same = wanted.externalId === current.externalId && wanted.active === current.active
      if (same) return present
      await authorizeUser(trx, member, proof, present)
      return provisionUser(trx, proof, stateOf(wanted))
    })
    return userResource(row)
  }
}

/** Nobody locks out or deletes who has more than they have, over SCIM as anywhere. @throws AppError `forbidden` */
async function authorizeUser(
  trx: Trx,
  member: Member,
  proof: Authorized<'user', 'update'> | Authorized<'user', 'delete'>,
  row: UserRow,
): Promise<void> {
  const access = await accessOfOne(trx, proof, row.id)
  await authorizeAccess(trx, member, { before: userSpecOf(row, access).access })
}

function stateOf({ externalId, active }: UserResource) {
  return { externalId: externalId ?? null, active }
}

function created(reply: FastifyReply, row: UserRow): FastifyReply {
  return reply.code(201).header('location', `/scim/v2/Users/${row.id}`).send(userResource(row))
}
