import { readFileSync } from 'node:fs'

/**
 * Which process is meant, for longer than its pid can say: a pid is given again, but never with the same start time
 * in the same boot. Nothing is signalled or adopted by a bare pid.
 */
export interface ProcessIdentity {
  readonly pid: number
  /** Clock ticks from boot to the process' start (field 22 of `/proc/<pid>/stat`). */
  readonly startTime: string
  /** `/proc/sys/kernel/random/boot_id`: start times repeat after a reboot. */
  readonly bootId: string
}

/** The identity of a process that lives now; undefined when there is none, or only its zombie. */
export function identify(pid: number): ProcessIdentity | undefined {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return undefined
  }
  // The command name stands in parentheses and may hold spaces and parentheses itself.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state, startTime] = [fields[0], fields[19]]
  if (state === 'Z' || state === 'X' || startTime === undefined) return undefined
  return { pid, startTime, bootId: bootId() }
}

/** Whether exactly this process still lives. */
export function isRunning(identity: ProcessIdentity): boolean {
  const found = identify(identity.pid)
  return found !== undefined && found.startTime === identity.startTime && found.bootId === identity.bootId
}

/** Signals exactly this process. @returns false when it is gone. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isRunning(identity)) return false
  try {
    process.kill(identity.pid, signal)
    return true
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ESRCH') return false
    throw thrown
  }
}

let knownBootId: string | undefined

function bootId(): string {
  knownBootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  return knownBootId
}
