import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/**
 * The arguments that a process was started with, or `undefined` when there is no such process (a zombie counts as
 * none). A pid alone proves nothing: the kernel hands the number out again, so whoever means to signal a pid from a
 * file looks here first.
 */
export function commandLine(pid: number): readonly string[] | undefined {
  if (process.platform === 'linux') {
    try {
      const parts = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
      return parts.length > 1 ? parts.slice(0, -1) : undefined
    } catch {
      return undefined
    }
  }
  try {
    const line = execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).trim()
    return line === '' ? undefined : line.split(' ')
  } catch {
    return undefined
  }
}
