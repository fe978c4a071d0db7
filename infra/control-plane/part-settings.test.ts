import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readApiSettings } from '../../apps/api/settings.ts'
import { readEdgeSettings } from '../../apps/edge/settings.ts'
import { readProvisionerSettings } from '../../apps/provisioner/settings.ts'
import { exampleInfra, exampleInstallation, resolved, templateOf } from '../../test/harness/infra.ts'
import { environmentFiles, type PartSettings } from '../instance/part-environment.ts'
import { controlPlanePorts } from '../network/control-plane-ports.ts'

const { controlPlane } = exampleInfra()
const { Resources } = templateOf(controlPlane)

/** What a machine of the part reads, with what AWS knows made up. */
function settingsOf(part: string): PartSettings {
  const parameter = Object.values(Resources).find(
    ({ Type, Properties }) => Type === 'AWS::SSM::Parameter' && Properties?.Name === `/aqueduct/prod/settings/${part}`,
  )
  const known = (reference: string): string => {
    if (reference.includes('EndpointPort')) return '5432'
    return reference.includes('EndpointAddress') ? 'db.example.com' : reference.replaceAll(/[^\w.-]/g, '')
  }
  return JSON.parse(String(resolved(parameter?.Properties?.Value, known))) as PartSettings
}

/** As systemd would read the file, back again. */
function environmentOf(part: string, file = `${part}.env`): Readonly<Record<string, string>> {
  const files = environmentFiles(part, settingsOf(part), () => '{"username":"aqueduct_owner","password":"p"}')
  const lines = (files[file] ?? '').split('\n').filter((line) => line !== '')
  return Object.fromEntries(
    lines.map((line) => {
      const [, name = '', value = ''] = /^(\w+)="(.*)"$/.exec(line) ?? []
      return [name, value.replaceAll(/\\(.)/g, '$1')]
    }),
  )
}

const masterKey = { AQUEDUCT_MASTER_KEY_FILE: '/run/credentials/aqueduct-api.service/master-key' }

describe('the settings of the parts', () => {
  it('are what the API reads, and its ports those of its load balancers', () => {
    const settings = readApiSettings({ ...environmentOf('api'), ...masterKey })
    const { domain, apiName } = exampleInstallation()
    expect(settings).toMatchObject({ domain, publicUrl: `https://${apiName}`, host: '0.0.0.0', plainHost: '127.0.0.1' })
    expect(settings.names).toContain(apiName)
    const { https, grpcTls, operator } = controlPlanePorts
    expect([settings.httpsPort, settings.grpcTlsPort, settings.operatorPort]).toEqual([https, grpcTls, operator])
    expect(settings.regions).toHaveLength(1)
  })

  it('are what the provisioner reads', () => {
    const settings = readProvisionerSettings({ ...environmentOf('provisioner'), ...masterKey })
    expect(settings.regions[0]).toMatchObject({ id: 'aws-us-east-1', driver: 'ec2' })
    expect(settings.temporalSqlTool).toBe('/opt/aqueduct/bin/temporal-sql-tool')
    const cells = new URL(settings.cellDatabaseUrl)
    expect([cells.username, cells.hostname, cells.pathname]).toEqual(['aqueduct_owner', 'db.example.com', '/cells'])
  })

  it('are what the discovery server reads, with ports that do not meet', () => {
    const settings = readEdgeSettings({ ...environmentOf('edge'), ...masterKey })
    const { discovery, join } = controlPlanePorts
    expect([settings.port, settings.joinPort]).toEqual([discovery, join])
    expect(settings.healthPort).not.toBe(join)
    expect(settings.names).toContain(readDiscoveryHost())
  })

  it('say nothing that a unit says, too: of the two, the file would win', () => {
    for (const [unit, file] of [
      ['api', 'api.env'],
      ['edge', 'edge.env'],
      ['provisioner', 'provisioner.env'],
      ['prepare', 'prepare.env'],
    ] as const) {
      const text = readFileSync(join(import.meta.dirname, `../systemd/aqueduct-${unit}.service`), 'utf8')
      const lines = text.split('\n').filter((line) => line.startsWith('Environment='))
      const own = lines.flatMap((line) => [...line.matchAll(/\b([A-Z_]+)=/g)].map(([, name = '']) => name))
      const given = Object.keys(environmentOf(unit === 'prepare' ? 'provisioner' : unit, file))
      expect(own.length, unit).toBeGreaterThan(0)
      expect(given.length, unit).toBeGreaterThan(0)
      expect(
        given.filter((name) => own.includes(name)),
        unit,
      ).toEqual([])
    }
  })

  it('make every connection to a database verify the server', () => {
    const urls = ['api', 'provisioner', 'edge'].map((part) => environmentOf(part).AQUEDUCT_DATABASE_URL ?? '')
    urls.push(environmentOf('provisioner').AQUEDUCT_CELL_DATABASE_URL ?? '')
    urls.push(environmentOf('provisioner', 'prepare.env').DATABASE_URL ?? '')
    for (const url of urls) {
      const { searchParams } = new URL(url)
      expect(searchParams.get('sslmode')).toBe('verify-full')
      expect(searchParams.get('sslrootcert')).toBe('/etc/aqueduct/rds-ca.pem')
    }
  })

  it('hold no secret, and give the owners of databases to the provisioner alone', () => {
    for (const part of ['api', 'provisioner', 'edge']) {
      expect(JSON.stringify(settingsOf(part))).not.toMatch(/"password"|MASTER_KEY/)
    }
    expect(environmentOf('provisioner')).not.toHaveProperty('DATABASE_URL')
    expect(environmentOf('api')).not.toHaveProperty('AQUEDUCT_CELL_DATABASE_URL')
    expect(environmentOf('edge')).not.toHaveProperty('AQUEDUCT_CELL_DATABASE_URL')
  })
})

function readDiscoveryHost(): string {
  return environmentOf('provisioner').AQUEDUCT_DISCOVERY_HOST ?? ''
}
