import { execFileSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { dirname } from 'node:path'

/** Who the server runs as. Postgres refuses to run as root, so root lends it an account of the system. */
export interface ServerAccount {
  /** Absent when the server runs as whoever runs Aqueduct. */
  readonly owner?: { readonly uid: number; readonly gid: number }
  /** Puts what is needed before a command so that it runs as this account. */
  wrap(command: string, args: readonly string[]): { readonly command: string; readonly args: readonly string[] }
}

const accountName = 'postgres'

/**
 * @param paths what the server must be able to reach: its programs and its data folder.
 * @param dieWithParent the kernel stops the server when the process that started it dies, however that happens. For
 *   tests; in the product the server outlives its launcher, since the cells' data lies there.
 * @throws Error that says what to do when root cannot lend an account.
 */
export function serverAccount(paths: readonly string[], dieWithParent: boolean): ServerAccount {
  const setpriv = findSetpriv()
  const deathSignal = dieWithParent && setpriv ? ['--pdeathsig', 'INT'] : []
  if (process.getuid?.() !== 0) {
    return {
      wrap: (command, args) =>
        deathSignal.length > 0
          ? { command: 'setpriv', args: [...deathSignal, '--', command, ...args] }
          : { command, args },
    }
  }
  if (!setpriv) {
    throw new Error(
      'Postgres does not run as root, and `setpriv` (package util-linux) is missing: install it, run Aqueduct as another user, or set DATABASE_URL.',
    )
  }
  const owner = findAccount() ?? makeAccount()
  const outOfReach = paths.filter((path) => !reachable(path, owner))
  // A checkout below /root (0700) is common. Rather than to open that folder to everybody, let the server pass through.
  const capability =
    outOfReach.length > 0 ? ['--inh-caps', '+dac_read_search', '--ambient-caps', '+dac_read_search'] : []
  if (outOfReach.length > 0 && !mayPassThrough()) {
    throw new Error(
      `The system user ${accountName}, as whom Postgres runs, cannot reach ${outOfReach.join(' and ')}: move it out of folders that only root may enter, run Aqueduct as another user, or set DATABASE_URL.`,
    )
  }
  const identity = ['--reuid', String(owner.uid), '--regid', String(owner.gid), '--clear-groups']
  return {
    owner,
    wrap: (command, args) => ({
      command: 'setpriv',
      args: [...identity, ...capability, ...deathSignal, '--', command, ...args],
    }),
  }
}

function findSetpriv(): boolean {
  try {
    return execFileSync('setpriv', ['--version'], { encoding: 'utf8' }).includes('util-linux')
  } catch {
    return false
  }
}

function mayPassThrough(): boolean {
  try {
    execFileSync('setpriv', ['--inh-caps', '+dac_read_search', '--ambient-caps', '+dac_read_search', '--', 'true'])
    return true
  } catch {
    return false
  }
}

function findAccount(): { uid: number; gid: number } | undefined {
  try {
    const id = (flag: string): number =>
      Number(execFileSync('id', [flag, accountName], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
    return { uid: id('-u'), gid: id('-g') }
  } catch {
    return undefined
  }
}

function makeAccount(): { uid: number; gid: number } {
  try {
    execFileSync('useradd', ['--system', '--user-group', '--shell', '/usr/sbin/nologin', accountName], {
      stdio: 'pipe',
    })
  } catch (cause) {
    const made = findAccount() // somebody else made it in the meantime
    if (made !== undefined) return made
    throw new Error(
      `Postgres does not run as root, and the system user ${accountName} could not be made: run \`useradd --system ${accountName}\`, run Aqueduct as another user, or set DATABASE_URL.`,
      { cause },
    )
  }
  const made = findAccount()
  if (made === undefined) throw new Error(`The system user ${accountName} was made but is not there.`)
  return made
}

/** Whether every folder on the way to `path` lets the account through. */
function reachable(path: string, owner: { uid: number; gid: number }): boolean {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const { mode, uid, gid } = statSync(folder)
    const bit = uid === owner.uid ? 0o100 : gid === owner.gid ? 0o010 : 0o001
    if ((mode & bit) === 0) return false
    if (folder === dirname(folder)) return true
  }
}
