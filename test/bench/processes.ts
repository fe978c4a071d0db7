import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { findByEnvironment } from '#libs/processes'

/** Of all Linux platforms that Node runs on. */
const ticksPerSecond = 100

/** Processor time that a process took so far, in seconds. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

/** The same of a process and its children: of Postgres, its many. What has ended meanwhile is not in it. */
export function cpuSecondsOfTree(pid: number): number {
  const seconds = [pid, ...childrenOf(pid)].map((each) => {
    try {
      return cpuSeconds(each)
    } catch {
      return 0 // It ended in the meantime.
    }
  })
  return seconds.reduce((sum, each) => sum + each, 0)
}

export interface ProcessMemory {
  readonly name: string
  readonly processes: number
  /** Megabytes that are resident; pages that several processes share count once in each of them. */
  readonly rss: number
  /** The same with each shared page split among those who share it. */
  readonly pss: number
}

/** What each process of the product holds, Postgres' many as one. */
export function productMemory(dataDirectory: string): readonly ProcessMemory[] {
  const parts = ['launcher', 'api', 'provisioner', 'edge'].map((name) => {
    const file = join(dataDirectory, 'run', `${name}.pid`)
    return memoryOf(name, [(JSON.parse(readFileSync(file, 'utf8')) as { readonly pid: number }).pid])
  })
  const postmaster = Number(readFileSync(join(dataDirectory, 'postgres/data/postmaster.pid'), 'utf8').split('\n')[0])
  const nodes = readdirSync(join(dataDirectory, 'nodes')).map((name) => join(dataDirectory, 'nodes', name))
  const agents = nodes.flatMap((dir) => findByEnvironment(`AQUEDUCT_AGENT_DIR=${dir}`).map(({ pid }) => pid))
  const programs = nodes.flatMap((dir) => findByEnvironment(`AQUEDUCT_NODE_DIR=${dir}`).map(({ pid }) => pid))
  const named = (name: string): readonly number[] => programs.filter((pid) => commandOf(pid).includes(name))
  return [
    ...parts,
    memoryOf('Postgres', [postmaster, ...childrenOf(postmaster)]),
    memoryOf('node agent', agents),
    memoryOf('temporal-server', named('temporal-server')),
    memoryOf('Envoy', named('envoy')),
  ]
}

function memoryOf(name: string, pids: readonly number[]): ProcessMemory {
  const rollups = pids.flatMap((pid) => {
    try {
      return [readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')]
    } catch {
      return [] // It ended in the meantime, as workers of Postgres do.
    }
  })
  const sum = (field: string): number =>
    rollups.reduce(
      (total, text) => total + Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0),
      0,
    ) / 1024
  return { name, processes: rollups.length, rss: sum('Rss'), pss: sum('Pss') }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0] ?? ''
  } catch {
    return ''
  }
}

function childrenOf(parent: number): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent
      } catch {
        return false
      }
    })
}
