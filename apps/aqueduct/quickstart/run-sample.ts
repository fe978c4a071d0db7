import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ClientCertificate } from './certificates.ts'
import { commandText } from './command-text.ts'
import type { Namespace } from './namespace.ts'
import type { Telling } from './narrator.ts'
import type { Tenant } from './sign-up.ts'
import type { World } from './world.ts'

const run = promisify(execFile)
const sampleFile = join(import.meta.dirname, 'sample/main.ts')
const limitMs = 2 * 60_000

/** The arguments of the sample for a namespace, in groups that belong together; who calls is for the caller to add. */
export function edgeArguments({ running }: World, { id, endpoint }: Namespace): readonly (readonly string[])[] {
  return [
    ['--address', `${endpoint.host}:${endpoint.port}`],
    ['--server-name', endpoint.serverName],
    ['--namespace', id],
    ['--ca', running.credentials.caFile],
  ]
}

/** The command that runs the sample, as a person types it. */
export function sampleCommand(world: World, groups: readonly (readonly string[])[]): string {
  const parts = groups.map((group) => group.map(world.shown).join(' '))
  return commandText([`npx node ${world.shown(sampleFile)}`, ...parts])
}

/**
 * A worker and a client of the TypeScript SDK in a process of their own, through the edge, until the workflow's result.
 * @throws Error with its last words.
 */
export async function runSample(
  world: World,
  namespace: Namespace,
  caller: { readonly certificate: ClientCertificate } | { readonly tenant: Tenant },
  telling: Telling,
): Promise<void> {
  const own: readonly (readonly string[])[] =
    'certificate' in caller
      ? [
          ['--cert', caller.certificate.certificateFile],
          ['--key', caller.certificate.keyFile],
        ]
      : [['--api-key-file', caller.tenant.apiKeyFile]]
  const groups = [...edgeArguments(world, namespace), ...own]
  const how = 'certificate' in caller ? 'certificate' : 'API key'
  // The other way is what the summary has.
  if ('certificate' in caller) telling.command(sampleCommand(world, groups))
  telling.progress(`with the ${how}`)
  // Nothing of the launcher's own settings.
  const limits = { env: {}, timeout: limitMs, killSignal: 'SIGKILL' } as const
  const running = run(process.execPath, [sampleFile, ...groups.flat()], limits)
  // It has nothing to lose, and would try for long to end well through an edge that is gone.
  const abort = (): void => void running.child.kill('SIGKILL')
  world.signal.addEventListener('abort', abort, { once: true })
  const ran = await running.catch(explain).finally(() => world.signal.removeEventListener('abort', abort))
  const last = ran.stdout.trim()
  const answer = /answered: (Hello, .+)$/.exec(last)?.[1]
  if (answer === undefined) throw new Error(`the sample ended without the workflow's result: ${last}`)
  telling.result(`with the ${`${how},`.padEnd(12)} ${last}`)
}

function explain(thrown: unknown): never {
  const { stderr, killed, message } = thrown as { stderr?: string; killed?: boolean; message: string }
  if (killed === true) throw new Error(`the sample had no result after ${limitMs / 1000} s`)
  throw new Error(`the sample failed: ${stderr?.trim() || message}`)
}
