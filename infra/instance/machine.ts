import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/** What a machine of the control plane knows of itself: its instance's user data wrote it, at the first boot. */
export interface Machine {
  readonly installation: string
  readonly awsRegion: string
  readonly parts: readonly string[]
}

const folder = '/etc/aqueduct'

/** @throws Error when the machine was not told. */
export function readMachine(): Machine {
  const { installation, awsRegion } = JSON.parse(readFileSync(`${folder}/machine.json`, 'utf8')) as Machine
  return { installation, awsRegion, parts: readdirSync(`${folder}/parts`) }
}

/** Runs the AWS command line with the instance's own role. @returns what it prints. */
export function aws({ awsRegion }: Machine, ...args: readonly string[]): string {
  return execFileSync('/usr/bin/aws', ['--region', awsRegion, '--output', 'text', ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: '/usr/bin:/bin', HOME: '/nonexistent', AWS_EC2_METADATA_SERVICE_NUM_ATTEMPTS: '5' },
  }).replace(/\n$/, '')
}

/** @throws Error when the machine's role may not read it, or there is none. */
export function readSecret(machine: Machine, id: string): string {
  return aws(machine, 'secretsmanager', 'get-secret-value', '--secret-id', id, '--query', 'SecretString')
}
