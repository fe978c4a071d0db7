import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readLauncherSettings } from '../../apps/aqueduct/settings.ts'
import { runCommand } from '../../apps/aqueduct/toolchain/command.ts'
import { installOnce } from '../../apps/aqueduct/toolchain/install.ts'
import { terminalProgress } from '../../apps/aqueduct/toolchain/progress.ts'

/** A tool in Python that tests run. */
export interface PythonTool {
  /** Names the cache folder, together with the version. */
  readonly name: string
  readonly version: string
  /** What `pip freeze` says of an environment with the tool alone: a file beside this one. */
  readonly requirements: string
}

/**
 * The Python interpreter of an environment that has the tool, from the cache or fetched into it. Run it with `-m <module>`:
 * the scripts of an environment do not survive the move to its place.
 * @throws Error of pip or of python3
 */
export async function pythonEnvironment({ name, version, requirements }: PythonTool): Promise<string> {
  const context = {
    cacheDirectory: readLauncherSettings(process.env).cacheDirectory,
    environment: process.env,
    progress: terminalProgress(process.stderr),
    signal: new AbortController().signal,
  }
  const file = fileURLToPath(new URL(requirements, import.meta.url))
  const environment = await installOnce(context, `${name}-${version}`, async (folder) => {
    const task = context.progress.begin(`fetching ${name} ${version}`, 2)
    const options = { environment: context.environment, signal: context.signal }
    try {
      task.update(0, 'making a Python environment')
      await runCommand('python3', ['-m', 'venv', folder], options)
      task.update(1, 'downloading wheels')
      const pip = ['-m', 'pip', 'install', '--only-binary=:all:', '--disable-pip-version-check', '--no-input']
      await runCommand(join(folder, 'bin', 'python3'), [...pip, '-r', file], options)
    } finally {
      task.end()
    }
  })
  return join(environment, 'bin', 'python3')
}
