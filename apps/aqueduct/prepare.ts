import { migrate } from '#libs/store'
import { bootstrap } from './bootstrap.ts'
import { loadMasterKey } from './master-key.ts'
import type { Screen } from './processes/screen.ts'
import type { Settings } from './settings.ts'

/**
 * What a start does before its parts, for installations whose parts run on machines of their own: brings the schema up to
 * date, and makes the first CAs, keys and operator where there are none. Any number of machines may do it at once and again.
 * @throws Error that says what to do
 */
export async function prepare(settings: Settings, screen: Screen): Promise<void> {
  const { dataDirectory, databaseUrl, firstOperator } = settings
  if (databaseUrl === '')
    throw new Error('DATABASE_URL must be set: without it, `npm start` prepares its own database.')
  if (settings.masterKey === '' && settings.masterKeyFile === '') {
    // Every other machine needs the same one: none is made up here.
    throw new Error('AQUEDUCT_MASTER_KEY or AQUEDUCT_MASTER_KEY_FILE must be set.')
  }
  const { key } = await loadMasterKey({
    given: settings.masterKey,
    file: settings.masterKeyFile,
    dataDirectory,
    dataExists: true,
  })
  await migrate({ adminUrl: databaseUrl, masterKey: key })
  const { operatorProblem } = await bootstrap({ dataDirectory, adminUrl: databaseUrl, masterKey: key, firstOperator })
  screen.line('The database is ready.')
  // On every machine but the one that made the first operator, and there once its key was taken away, this is as it should be.
  if (operatorProblem !== undefined) screen.line(operatorProblem)
}
