import { once } from 'node:events'
import { join } from 'node:path'
import { coerceError } from '#libs/base'
import { bootstrap } from './bootstrap.ts'
import { reset } from './reset.ts'
import { projectDirectory, readLauncherSettings } from './settings.ts'
import { start } from './start.ts'
import { summary } from './summary.ts'
import { terminalProgress } from './toolchain/progress.ts'

const screen = { line: (text: string) => void process.stderr.write(`${text}\n`) }

/** In the order in which they start: nodes ask the edge, the provisioner asks nodes, and callers come last. */
const parts = ['edge', 'provisioner', 'api'].map((name) => ({
  name,
  main: join(projectDirectory, 'apps', name, 'main.ts'),
  stopMs: 20_000,
}))

async function main(command: string | undefined, args: readonly string[]): Promise<number> {
  const settings = readLauncherSettings(process.env)
  if (command === 'reset') return (await reset(settings.dataDirectory, args.includes('--yes'), screen)) ? 0 : 1
  if (command !== 'start') throw new Error('usage: node apps/aqueduct/main.ts start | reset [--yes]')
  screen.line(`Aqueduct starts in ${settings.dataDirectory}`)
  return await start({
    settings,
    environment: process.env,
    screen,
    progress: terminalProgress(process.stderr),
    bootstrap,
    parts,
    whenReady: async (running, signal) => {
      screen.line(summary(running))
      if (!signal.aborted) await once(signal, 'abort')
      return 0
    },
  })
}

try {
  process.exit(await main(process.argv[2], process.argv.slice(3)))
} catch (thrown) {
  screen.line(`\n${coerceError(thrown).message}`)
  process.exit(1)
}
