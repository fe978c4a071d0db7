import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'

const folder = join(import.meta.dirname, 'systemd')
const units = readdirSync(folder).toSorted()
const services = units.filter((unit) => unit.endsWith('.service'))
const product = resolve(import.meta.dirname, '..')

/** Every line of a unit file as `name=value`, in the order in which they stand. */
function lines(unit: string): readonly string[] {
  return readFileSync(join(folder, unit), 'utf8')
    .split('\n')
    .filter((line) => line.includes('=') && !line.startsWith('#'))
}

function valuesOf(unit: string, name: string): readonly string[] {
  return lines(unit)
    .filter((line) => line.startsWith(`${name}=`))
    .map((line) => line.slice(name.length + 1))
}

const verify = ['/usr/bin/systemd-analyze', '/bin/systemd-analyze'].find((path) => existsSync(path))
const scratch = mkdtempSync(join(tmpdir(), 'aqueduct-units-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

describe('the units', () => {
  it('are those of the images', () => {
    expect(units).toEqual([
      'aqueduct-api.service',
      'aqueduct-edge.service',
      'aqueduct-node.service',
      'aqueduct-prepare.service',
      'aqueduct-provisioner.service',
      'aqueduct-settings.service',
      'aqueduct-settings.timer',
    ])
  })

  it.each(services)('%s starts a program of the product that is there', (unit) => {
    for (const command of [...valuesOf(unit, 'ExecStart'), ...valuesOf(unit, 'ExecStartPost')]) {
      const [program, file = ''] = command.split(' ')
      expect(program).toBe('/opt/aqueduct/bin/node')
      expect(existsSync(join(product, file)), file).toBe(true)
    }
    expect(valuesOf(unit, 'WorkingDirectory')).toEqual(['/opt/aqueduct/product'])
  })

  it.each(services)('%s gets no rights, and sees of the machine what it needs', (unit) => {
    const wanted = {
      NoNewPrivileges: 'yes',
      CapabilityBoundingSet: '',
      ProtectSystem: 'strict',
      ProtectHome: 'yes',
      PrivateTmp: 'yes',
      PrivateDevices: 'yes',
      ProtectClock: 'yes',
      ProtectKernelLogs: 'yes',
      ProtectKernelModules: 'yes',
      ProtectKernelTunables: 'yes',
      ProtectControlGroups: 'yes',
      RestrictNamespaces: 'yes',
      RestrictSUIDSGID: 'yes',
      RestrictRealtime: 'yes',
      LockPersonality: 'yes',
      SystemCallArchitectures: 'native',
      SystemCallFilter: '@system-service',
      RestrictAddressFamilies: 'AF_INET AF_INET6 AF_UNIX AF_NETLINK',
      UMask: '0077',
    }
    for (const [name, value] of Object.entries(wanted)) expect(valuesOf(unit, name), name).toEqual([value])
  })

  it.each(services.filter((unit) => unit !== 'aqueduct-settings.service'))('%s does not run as root', (unit) => {
    expect(valuesOf(unit, 'User')).toEqual(['aqueduct'])
    expect(valuesOf(unit, 'Group')).toEqual(['aqueduct'])
  })

  it.each(services)('%s comes again however it ended', (unit) => {
    const isOneshot = valuesOf(unit, 'Type')[0] === 'oneshot'
    expect(valuesOf(unit, 'Restart')).toEqual([isOneshot ? 'on-failure' : 'always'])
    // Without this systemd gives up after five times in ten seconds.
    expect(valuesOf(unit, 'StartLimitIntervalSec')).toEqual(['0'])
  })

  it('leave Temporal and Envoy running when their agent goes', () => {
    expect(valuesOf('aqueduct-node.service', 'KillMode')).toEqual(['process'])
  })

  it('have the master key as a credential, in no environment and no argument', () => {
    for (const unit of ['aqueduct-api.service', 'aqueduct-edge.service', 'aqueduct-provisioner.service']) {
      expect(valuesOf(unit, 'LoadCredential')).toEqual(['master-key:/run/aqueduct-settings/master-key'])
      expect(lines(unit).filter((line) => line.includes('AQUEDUCT_MASTER_KEY='))).toEqual([])
    }
  })

  it.skipIf(verify === undefined)('are what systemd takes', () => {
    const files = units.map((unit) => join(scratch, unit))
    // The machine of a test has neither the product's place nor its user: the program's path alone is another one.
    for (const unit of units) {
      const text = readFileSync(join(folder, unit), 'utf8').replaceAll('/opt/aqueduct/bin/node', process.execPath)
      writeFileSync(join(scratch, unit), text)
    }
    const { status, stdout, stderr } = spawnSync(verify ?? '', ['verify', '--man=no', ...files], {
      encoding: 'utf8',
      env: { PATH: '/usr/bin:/bin' },
    })
    // A line that it does not know is a warning to it, and an error here. It says of this machine's own units, too.
    const said = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('aqueduct-'))
    expect(said).toEqual([])
    expect(status).toBe(0)
  })
})
