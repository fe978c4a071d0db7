import { randomUUID } from 'node:crypto'
import type { Authorized } from '#libs/authz'
import type { Executor } from '../database.ts'

/** This installation's name for itself, made at the first question and the same for ever: it lives in the database. */
export async function installationId(executor: Executor, _proof: Authorized<'orphan', 'update'>): Promise<string> {
  const read = () => executor.selectFrom('installation').select('id').executeTakeFirst()
  const known = await read()
  if (known !== undefined) return known.id
  await executor
    .insertInto('installation')
    .values({ id: randomUUID() })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  const made = await read()
  if (made === undefined) throw new Error('the installation has no id')
  return made.id
}
