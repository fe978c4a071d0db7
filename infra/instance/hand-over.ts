import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { aws, readMachine } from './machine.ts'

/**
 * Moves the first operator's certificate and key from this machine into Secrets Manager, once they were made: machines
 * come and go. Later starts make none, and then there is nothing to do.
 */
const [, , folder = ''] = process.argv
const read = (name: string): string => readFileSync(join(folder, name), 'utf8')

if (existsSync(join(folder, 'operator.key'))) {
  const machine = readMachine()
  const handed = join(folder, 'handed-over.json')
  const content = { ca: read('ca.pem'), certificate: read('operator.pem'), key: read('operator.key') }
  // By a file: arguments are for everybody on the machine to read.
  writeFileSync(handed, JSON.stringify(content), { mode: 0o600 })
  const secret = `aqueduct/${machine.installation}/first-operator`
  aws(machine, 'secretsmanager', 'put-secret-value', '--secret-id', secret, '--secret-string', `file://${handed}`)
  for (const name of ['handed-over.json', 'operator.key', 'operator.pem']) rmSync(join(folder, name), { force: true })
}
