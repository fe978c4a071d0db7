import { existsSync, mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { coerceError } from '#libs/base'
import { CommandError, runCommand } from './command.ts'
import { type InstallContext, installOnce } from './install.ts'
import { temporalServer, temporalSqlTool } from './tool.ts'

const module = 'go.temporal.io/server'
/** What `go install -v` prints on a machine that has compiled nothing yet: 1,436 packages of 1.32.2 with Go 1.26. */
const packages = 1436
/** Modules that are downloaded first; each counts as a package, as a download takes about as long. */
const downloads = 280

const advice =
  'Set TEMPORAL_SERVER and TEMPORAL_SQL_TOOL to programs that you have, or see that Go can reach its module proxy (`go env GOPROXY`) and start again.'

/** Builds the Temporal server and its schema tool from source: minutes, once. @returns the folder with both. */
export async function installTemporal(context: InstallContext): Promise<string> {
  return await installOnce(context, `temporal-server-${temporalServer.version}`, async (folder) => {
    const go = findGo(context)
    const task = context.progress.begin(
      `building ${temporalServer.name} ${temporalServer.version}`,
      packages + downloads,
    )
    let downloaded = 0
    let compiled = 0
    try {
      const bin = join(folder, 'bin')
      mkdirSync(bin)
      const version = `v${temporalServer.version}`
      await runCommand(go, ['install', '-v', `${module}/cmd/server@${version}`, `${module}/cmd/tools/sql@${version}`], {
        // The rest of Go's settings (module proxy, caches) stay the user's own.
        environment: { ...context.environment, GOBIN: bin, GOTOOLCHAIN: 'auto', CGO_ENABLED: '0' },
        signal: context.signal,
        onLine: (line) => {
          const fetched = /^go: downloading (.+)/.exec(line)?.[1]
          if (fetched !== undefined) downloaded += 1
          // Anything else of its own ("switching to go1.26.11") comes before the first package.
          else if (!line.startsWith('go: ')) compiled += 1
          // Nothing more is downloaded once compilation is well under way.
          const before = compiled > 50 ? downloads : Math.min(downloaded, downloads)
          const compiling = line.startsWith('go: ') ? line.slice(4) : `compiling ${line}`
          task.update(before + compiled, fetched === undefined ? compiling : `downloading ${fetched}`)
        },
      })
      renameSync(join(bin, 'server'), join(folder, temporalServer.name))
      renameSync(join(bin, 'sql'), join(folder, temporalSqlTool.name))
    } catch (thrown) {
      throw explain(coerceError(thrown))
    } finally {
      task.end()
    }
  })
}

function findGo(context: InstallContext): string {
  const path = context.environment.PATH ?? ''
  const folders = [...path.split(':'), '/usr/local/go/bin']
  return folders.map((folder) => join(folder, 'go')).find((file) => existsSync(file)) ?? 'go'
}

function explain(error: Error): Error {
  if (!(error instanceof CommandError)) return error
  if (error.missing) {
    return new Error(
      `Building the Temporal server needs Go (1.21 or later), which is not on the PATH. Install it (https://go.dev/dl), or set TEMPORAL_SERVER and TEMPORAL_SQL_TOOL to temporal-server and temporal-sql-tool ${temporalServer.version}.`,
    )
  }
  return new Error(`The Temporal server could not be built. ${advice}\n${error.message}`, { cause: error })
}
