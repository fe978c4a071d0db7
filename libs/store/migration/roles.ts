import { createHmac } from 'node:crypto'
import type { Client } from 'pg'

/** The database roles of the product's processes. What each may do stands in `migrations/0005-guard-tenants.sql`. */
const databaseRoles = [
  'aqueduct_api',
  'aqueduct_signup',
  'aqueduct_operator',
  'aqueduct_provisioner',
  'aqueduct_edge',
] as const
export type DatabaseRole = (typeof databaseRoles)[number]

/**
 * A role's password, derived from the master key: every process that may know it can work it out, and there is no
 * further secret to keep or to lose.
 */
function rolePassword(masterKey: Uint8Array, role: DatabaseRole): string {
  return createHmac('sha256', masterKey).update(`database role ${role}`).digest('base64url')
}

/** The admin's connection URL with the role's own name and password in it. */
export function roleUrl(adminUrl: string, masterKey: Uint8Array, role: DatabaseRole): string {
  const url = new URL(adminUrl)
  url.username = role
  url.password = rolePassword(masterKey, role)
  return url.toString()
}

/** Makes the roles, or gives them the passwords of this master key. Roles belong to the server, not to a database. */
export async function ensureRoles(client: Client, masterKey: Uint8Array): Promise<void> {
  for (const role of databaseRoles) {
    // Two installations that start on one server at once: the second finds the role there.
    await client.query(
      `do $$ begin create role ${role} login noinherit; exception when duplicate_object or unique_violation then null; end $$`,
    )
    await client.query(`alter role ${role} with login password ${client.escapeLiteral(rolePassword(masterKey, role))}`)
  }
  const { rows } = await client.query<{ name: string }>('select current_database() as name')
  const database = client.escapeIdentifier(rows[0]?.name ?? '')
  await client.query(`revoke all on database ${database} from public`)
  await client.query(`grant connect on database ${database} to ${databaseRoles.join(', ')}`)
  // graphile-worker keeps its queue in a schema of its own, which the provisioner makes and owns.
  await client.query(`grant create on database ${database} to aqueduct_provisioner`)
  // Needed to hand it the one function that runs with its rights (0006); a superuser has this anyway.
  await client.query('grant aqueduct_provisioner to current_user').catch(() => undefined)
}
