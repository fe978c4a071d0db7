import { once } from 'node:events'
import { join } from 'node:path'
import { coerceError } from '#libs/base'
import { verifyAuditLog } from './audit-verify.ts'
import { bootstrap } from './bootstrap.ts'
import type { Running } from './launch.ts'
import { prepare } from './prepare.ts'
import { LiveScreen } from './quickstart/live-screen.ts'
import { quickstart } from './quickstart/quickstart.ts'
import { recoverOperator } from './recover-operator.ts'
import { reset } from './reset.ts'
import { projectDirectory, readLauncherSettings, type Settings } from './settings.ts'
import { start } from './start.ts'
import { summary } from './summary.ts'
import { terminalProgress } from './toolchain/progress.ts'

const screen = new LiveScreen(process.stderr)
const usage =
  'usage: node apps/aqueduct/main.ts start | quickstart [--exit] | reset [--yes] | prepare | recover-operator <name> | audit-verify [--anchor <file>]'

/** In the order in which they start: nodes ask the edge, the provisioner asks nodes, and callers come last. */
const parts = ['edge', 'provisioner', 'api'].map((name) => ({
  name,
  main: join(projectDirectory, 'apps', name, 'main.ts'),
  stopMs: 20_000,
}))

async function main(command: string | undefined, args: readonly string[]): Promise<number> {
  const settings = readLauncherSettings(process.env)
  const { dataDirectory, cacheDirectory } = settings
  if (command === 'reset') return (await reset(dataDirectory, args.includes('--yes'), screen)) ? 0 : 1
  if (command === 'recover-operator') {
    const [name, ...more] = args
    if (name === undefined || more.length > 0) throw new Error('usage: npm run operator:recover -- <name>')
    await recoverOperator(settings, name, screen)
    return 0
  }
  if (command === 'audit-verify') return auditVerify(settings, args)
  if (command === 'prepare') {
    if (args.length > 0) throw new Error(usage)
    await prepare(settings, screen)
    return 0
  }
  const exit = args.includes('--exit')
  const unknown = args.filter((arg) => !(command === 'quickstart' && arg === '--exit'))
  if ((command !== 'start' && command !== 'quickstart') || unknown.length > 0) throw new Error(usage)
  screen.line(`Aqueduct starts in ${dataDirectory}`)
  // The story reads the invitations of people that it made up: they must lie in the outbox, whatever mail server is set.
  const environment = command === 'quickstart' ? { ...process.env, AQUEDUCT_SMTP_URL: '' } : process.env
  const progress = terminalProgress(process.stderr)
  const common = { settings, environment, screen, progress, bootstrap, parts }
  if (command === 'start') return await start({ ...common, whenReady: untilAsked })
  let worked = false
  const code = await start({
    ...common,
    whenReady: async (running, signal) => {
      const options = { screen, progress, environment, cacheDirectory, exit }
      const result = await quickstart(options, running, signal)
      worked = result === 0
      return result
    },
  })
  // Whoever stops it early has not seen it work.
  return worked ? code : 1
}

async function auditVerify(settings: Settings, args: readonly string[]): Promise<number> {
  const [flag, anchorFile, ...more] = args
  if ((flag !== undefined && (flag !== '--anchor' || anchorFile === undefined)) || more.length > 0) {
    throw new Error('usage: npm run --silent audit:verify [-- --anchor <file>] > <heads>')
  }
  const print = (line: string) => void process.stdout.write(`${line}\n`)
  return (await verifyAuditLog({ settings, anchorFile, screen, print })) ? 0 : 1
}

async function untilAsked(running: Running, signal: AbortSignal): Promise<number> {
  screen.line(`${summary(running)}\n\nCtrl-C stops everything.`)
  if (!signal.aborted) await once(signal, 'abort')
  return 0
}

try {
  process.exit(await main(process.argv[2], process.argv.slice(3)))
} catch (thrown) {
  screen.line(`\n${coerceError(thrown).message}`)
  process.exit(1)
}
