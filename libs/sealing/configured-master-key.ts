import { readFileSync } from 'node:fs'
import { coerceError } from '#libs/base'
import { readMasterKey } from './master-key.ts'

/**
 * The master key as a part is told of it: the key itself, or the file that it stands in.
 * @throws Error that says which setting is wrong; never the key.
 */
export function configuredMasterKey(given: { readonly value: string; readonly file: string }): Buffer {
  if (given.value === '' && given.file === '') {
    throw new Error('AQUEDUCT_MASTER_KEY or AQUEDUCT_MASTER_KEY_FILE must be set: without it, no secret can be read')
  }
  try {
    return readMasterKey(given.value === '' ? readFileSync(given.file, 'utf8') : given.value)
  } catch (thrown) {
    throw new Error(`the master key is not usable: ${coerceError(thrown).message}`)
  }
}
