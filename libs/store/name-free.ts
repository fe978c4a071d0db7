import { AppError } from '#libs/base'
import type { Trx } from './database.ts'

/**
 * @param noun as it is called in the error.
 * @throws AppError `already_exists` when another living row of the tenant has the name.
 */
export async function assertNameFree(
  trx: Trx,
  table: 'custom_roles' | 'service_accounts',
  noun: string,
  row: { readonly id: string; readonly tenant_id: string },
  name: string,
): Promise<void> {
  const taken = await trx
    .selectFrom(table)
    .select('id')
    .where('tenant_id', '=', row.tenant_id)
    .where('name', '=', name)
    .where('id', '<>', row.id)
    .where('deleted_at', 'is', null)
    .executeTakeFirst()
  if (taken !== undefined) throw nameTaken(noun, name)
}

/** @param noun as it is called in the error. */
export function nameTaken(noun: string, name: string): AppError {
  return new AppError('already_exists', `a ${noun} named ${JSON.stringify(name)} exists`)
}
