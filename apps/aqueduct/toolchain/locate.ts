import { execFile } from 'node:child_process'
import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { coerceError } from '#libs/base'
import type { Environment } from '#libs/config'
import type { Tool } from './tool.ts'

const run = promisify(execFile)

/**
 * The program that the environment names, else a fitting one on the PATH, else `undefined`.
 * @throws Error when the environment names one that does not fit: whoever set it has to know.
 */
export async function locate(tool: Tool, environment: Environment): Promise<string | undefined> {
  const named = environment[tool.variable]
  if (named !== undefined && named !== '') {
    const problem = await misfit(tool, named)
    if (problem === undefined) return named
    throw new Error(`${tool.variable}=${named} ${problem}. Set it to a ${tool.name} ${tool.version}, or unset it.`)
  }
  for (const folder of (environment.PATH ?? '').split(delimiter)) {
    const candidate = folder === '' ? undefined : binary(join(folder, tool.name))
    if (candidate !== undefined && (await misfit(tool, candidate)) === undefined) return candidate
  }
  return undefined
}

/** What keeps a program from being used, as the end of a sentence that begins with its path. It is run as nodes run it. */
export async function misfit(tool: Tool, path: string): Promise<string | undefined> {
  let output: string
  try {
    const { stdout, stderr } = await run(path, ['--version'], {
      timeout: 30_000,
      env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
    })
    output = stdout + stderr
  } catch (thrown) {
    return `cannot be run (${coerceError(thrown).message.split('\n')[0]})`
  }
  const version = tool.versionPattern.exec(output)?.[1]
  if (version === undefined) return `does not say which version it is (${JSON.stringify(output.slice(0, 80))})`
  return tool.accepts(version) ? undefined : `is version ${version}, which Aqueduct does not run`
}

/**
 * The machine's own program behind a name on the PATH. Python packages put a script there that starts the real one:
 * signals and pids would be the script's, so the real one is used.
 */
function binary(path: string): string | undefined {
  if (!isFile(path)) return undefined
  return isScript(path) ? findPackaged(dirname(dirname(path)), 'envoy/_bin/envoy') : path
}

/** A file inside the site-packages of a Python installation. */
export function findPackaged(prefix: string, path: string): string | undefined {
  for (const lib of ['lib', 'lib64']) {
    for (const version of entries(join(prefix, lib)).filter((name) => name.startsWith('python'))) {
      const candidate = join(prefix, lib, version, 'site-packages', path)
      if (isFile(candidate)) return candidate
    }
  }
  return undefined
}

function entries(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false
}

function isScript(path: string): boolean {
  const file = openSync(path, 'r')
  try {
    const start = Buffer.alloc(2)
    readSync(file, start)
    return start.toString('latin1') === '#!'
  } catch {
    return false
  } finally {
    closeSync(file)
  }
}
