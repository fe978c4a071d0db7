import { appendFileSync, existsSync, mkdirSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { recoverAdmin } from '#libs/keyring'
import { sealer } from '#libs/sealing'
import { assertSchemaFits, Database, isDatabaseUnavailable } from '#libs/store'
import { credentialsFolder, credentialsIn, writeOperatorFiles } from './credentials.ts'
import { embeddedDatabaseUrl } from './database.ts'
import { loadMasterKey } from './master-key.ts'
import type { Screen } from './processes/screen.ts'
import { operatorName, type Settings } from './settings.ts'

/**
 * The way back in when no admin has a certificate any more: makes `name` an admin and writes a certificate for it where
 * the first operator's was. Needs the database's owner and the master key, and leaves a line in the log and in the rows
 * who was let in and when.
 * @throws Error that says what to do; nothing is changed by then.
 */
export async function recoverOperator(settings: Settings, name: string, screen: Screen): Promise<void> {
  operatorName(name)
  const { dataDirectory } = settings
  const credentials = credentialsIn(dataDirectory)
  const { operatorCertificateFile, operatorKeyFile } = credentials
  // A key that still opens something must not be lost by a recovery that nobody needed.
  for (const file of [operatorCertificateFile, operatorKeyFile]) {
    if (existsSync(file)) throw new Error(`${file} is there: move it away first, if it does not open the operator API.`)
  }
  const { key } = await loadMasterKey({
    given: settings.masterKey,
    file: settings.masterKeyFile,
    dataDirectory,
    dataExists: true,
  })
  const url = settings.databaseUrl === '' ? embeddedDatabaseUrl(dataDirectory) : settings.databaseUrl
  if (url === undefined) throw new Error(`There is no installation in ${dataDirectory}: set AQUEDUCT_DATA_DIR.`)
  const database = new Database({ url, poolSize: 1, applicationName: 'aqueduct-recover' })
  try {
    await assertSchemaFits(database.pool)
    mkdirSync(credentialsFolder(dataDirectory), { recursive: true, mode: 0o700 })
    const { row } = await database.all.transaction().execute(async (trx) => {
      const issued = await recoverAdmin(trx, sealer(key), name)
      await writeOperatorFiles(credentials, issued)
      writeDown(dataDirectory, { operator: name, certificateId: issued.row.id, fingerprint: issued.row.fingerprint })
      return issued
    })
    screen.line(
      `Operator ${name} is an admin. Its certificate is good until ${row.not_after.toISOString().slice(0, 10)}:`,
    )
    screen.line(`  ${operatorCertificateFile}\n  ${operatorKeyFile}`)
  } catch (cause) {
    if (!isDatabaseUnavailable(cause)) throw cause
    throw new Error('The database does not answer: start Aqueduct first (`npm start`).', { cause })
  } finally {
    await database.close()
  }
}

/** A line as the parts log theirs; no part runs here that could. */
function writeDown(dataDirectory: string, target: Readonly<Record<string, string>>): void {
  const folder = join(dataDirectory, 'log')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const { username } = userInfo()
  const line = { time: new Date().toISOString(), level: 'warn', service: 'recover', ...target, by: username }
  appendFileSync(join(folder, 'recover.log'), `${JSON.stringify({ ...line, msg: 'operator recovered' })}\n`, {
    mode: 0o600,
  })
}
