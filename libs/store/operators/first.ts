import { AppError } from '#libs/base'
import type { Executor, Trx } from '../database.ts'
import { lockOperators } from './admins.ts'
import type { OperatorRow } from './store.ts'

/** Operators are made by operators. These two ways in need the database's owner, and the operator CA's key besides. */

/**
 * Makes the first operator, an admin, while there is none and never was one; holds `lockOperators`.
 * @returns undefined when there is one, or was.
 */
export async function createFirstOperator(trx: Trx, name: string): Promise<OperatorRow | undefined> {
  await lockOperators(trx)
  const any = await trx.selectFrom('operators').select('name').limit(1).executeTakeFirst()
  return any === undefined ? insertAdmin(trx, name, 'bootstrap') : undefined
}

/**
 * Makes an admin of an operator, or a new operator: for when no admin has a certificate any more. Holds `lockOperators`.
 * @throws AppError `precondition` for a name that was deleted.
 */
export async function recoverOperator(trx: Trx, name: string): Promise<OperatorRow> {
  await lockOperators(trx)
  const present = await trx.selectFrom('operators').selectAll().where('name', '=', name).executeTakeFirst()
  if (present === undefined) return insertAdmin(trx, name, 'recovery')
  if (present.deleted_at !== null) {
    throw new AppError(
      'precondition',
      `operator ${JSON.stringify(name)} was deleted, and names are used once: choose another`,
    )
  }
  return trx
    .updateTable('operators')
    .set((eb) => ({
      role: 'admin',
      resource_version: eb('resource_version', '+', 1),
      updated_by: 'recovery',
      updated_at: new Date(),
    }))
    .where('name', '=', name)
    .returningAll()
    .executeTakeFirstOrThrow()
}

async function insertAdmin(executor: Executor, name: string, createdBy: string): Promise<OperatorRow> {
  return executor
    .insertInto('operators')
    .values({ name, role: 'admin', created_by: createdBy, updated_by: null, updated_at: null, deleted_at: null })
    .returningAll()
    .executeTakeFirstOrThrow()
}
