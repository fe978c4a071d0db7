import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { aws, readMachine, readSecret } from './machine.ts'
import { environmentFiles, type PartSettings } from './part-environment.ts'

/**
 * Writes the settings of this machine's parts into memory that is root's alone, and restarts the parts whose settings
 * changed. Runs before the parts at boot, and every few minutes: RDS changes the passwords of owners each week.
 */
const target = '/run/aqueduct-settings'

/** Puts a file in its place as a whole. @returns whether it is another one than before. */
function place(name: string, content: string): boolean {
  const file = join(target, name)
  if (existsSync(file) && readFileSync(file, 'utf8') === content) return false
  writeFileSync(`${file}.new`, content, { mode: 0o600 })
  renameSync(`${file}.new`, file)
  return true
}

const machine = readMachine()
const { installation } = machine
place('master-key', readSecret(machine, `aqueduct/${installation}/master-key`))
for (const part of machine.parts) {
  const name = `/aqueduct/${installation}/settings/${part}`
  const settings = JSON.parse(aws(machine, 'ssm', 'get-parameter', '--name', name, '--query', 'Parameter.Value'))
  const files = environmentFiles(part, settings as PartSettings, (id) => readSecret(machine, id))
  const changed = Object.entries(files).filter(([file, content]) => place(file, content))
  // What does not run yet is started by systemd, after this.
  if (changed.some(([file]) => file === `${part}.env`)) {
    execFileSync('/usr/bin/systemctl', ['try-restart', '--no-block', `aqueduct-${part}.service`])
  }
}
