import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { coerceError } from '#libs/base'
import { CommandError, runCommand } from './command.ts'
import { type InstallContext, installOnce } from './install.ts'
import { findPackaged } from './locate.ts'
import type { Tool } from './tool.ts'

export interface PythonPackage {
  /** The cache folder's name, to which the version is added. */
  readonly folder: string
  /** As pip knows it; its version is the tool's. */
  readonly name: string
  /** Where the program lies: below the environment's folder, or below its site-packages. */
  readonly program: { readonly bin: string } | { readonly packaged: string }
}

/**
 * Fetches a program that is published as a Python wheel, into a virtual environment of its own. Only the program
 * inside is ever run; the environment's own scripts would not survive the move to its place.
 * @returns the program.
 */
export async function installPython(context: InstallContext, tool: Tool, wheel: PythonPackage): Promise<string> {
  const environment = await installOnce(context, `${wheel.folder}-${tool.version}`, async (folder) => {
    const task = context.progress.begin(`fetching ${tool.name} ${tool.version}`, 3)
    const options = { environment: context.environment, signal: context.signal }
    try {
      task.update(0, 'making a Python environment')
      await runCommand('python3', ['-m', 'venv', folder], options)
      task.update(1, `downloading ${wheel.name}`)
      // A wheel alone: to unpack one runs nothing of it, to build a source package does.
      const pip = [
        '-m',
        'pip',
        'install',
        '--no-deps',
        '--only-binary=:all:',
        '--disable-pip-version-check',
        '--no-input',
      ]
      await runCommand(join(folder, 'bin', 'python3'), [...pip, `${wheel.name}==${tool.version}`], {
        ...options,
        onLine: (line) => task.update(line.startsWith('Installing') ? 2 : 1, line.trim()),
      })
    } catch (thrown) {
      throw explain(tool, wheel, coerceError(thrown))
    } finally {
      task.end()
    }
  })
  const program = findProgram(environment, wheel)
  if (program !== undefined) return program
  throw new Error(
    `${environment} does not hold ${tool.name}: remove that folder and start again, or set ${tool.variable}.`,
  )
}

function findProgram(environment: string, wheel: PythonPackage): string | undefined {
  if ('packaged' in wheel.program) return findPackaged(environment, wheel.program.packaged)
  const file = join(environment, 'bin', wheel.program.bin)
  return existsSync(file) ? file : undefined
}

function explain(tool: Tool, wheel: PythonPackage, error: Error): Error {
  if (!(error instanceof CommandError)) return error
  const otherwise = `or set ${tool.variable} to ${tool.name} ${tool.version}`
  if (error.missing) {
    return new Error(`Fetching ${tool.name} needs python3, which is not on the PATH. Install it, ${otherwise}.`)
  }
  const try_ = error.message.includes('ensurepip')
    ? 'Install the package python3-venv'
    : `See that \`python3 -m pip download ${wheel.name}==${tool.version}\` works`
  return new Error(`${tool.name} could not be fetched. ${try_}, ${otherwise}.\n${error.message}`, { cause: error })
}
