import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { coerceError } from '#libs/base'
import { writeFileAtomic } from '#libs/processes'
import { readMasterKey } from '#libs/sealing'

export interface MasterKey {
  readonly key: Buffer
  /** How the parts get it: the one variable that names it. */
  readonly environment: Readonly<Record<string, string>>
}

export interface MasterKeyOptions {
  /** `AQUEDUCT_MASTER_KEY`, or empty. */
  readonly given: string
  /** `AQUEDUCT_MASTER_KEY_FILE`, or empty. */
  readonly file: string
  readonly dataDirectory: string
  /** Whether there is data already that was sealed with some key. */
  readonly dataExists: boolean
}

/**
 * The key that seals secrets at rest: given, in a file, or made on the first start.
 * @throws Error that says which variable is wrong; never the key.
 */
export async function loadMasterKey(options: MasterKeyOptions): Promise<MasterKey> {
  if (options.given !== '') {
    const key = parse('AQUEDUCT_MASTER_KEY', options.given)
    return { key, environment: { AQUEDUCT_MASTER_KEY: options.given } }
  }
  const own = join(options.dataDirectory, 'master.key')
  const file = options.file === '' ? own : options.file
  if (options.file === '' && !existsSync(own)) {
    if (options.dataExists) {
      throw new Error(
        `${own} is missing, and without it the secrets in the database cannot be read. Put it back, set AQUEDUCT_MASTER_KEY_FILE, or start afresh with \`npm run reset\`.`,
      )
    }
    await writeFileAtomic(own, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600, durable: true })
  }
  let written: string
  try {
    written = readFileSync(file, 'utf8')
  } catch (cause) {
    throw new Error(`The master key cannot be read: ${coerceError(cause).message}`, { cause })
  }
  return { key: parse(`The master key in ${file}`, written), environment: { AQUEDUCT_MASTER_KEY_FILE: file } }
}

function parse(name: string, written: string): Buffer {
  try {
    return readMasterKey(written)
  } catch (thrown) {
    throw new Error(`${name} ${coerceError(thrown).message}`)
  }
}
