import { describe, expect, it } from 'vitest'
import { environmentFiles, type PartSettings } from './part-environment.ts'

const secrets: Readonly<Record<string, string>> = {
  owner: JSON.stringify({ username: 'aqueduct_owner', password: 'a:b/c@d?e#f%g"h\\i$j' }),
  smtp: 'smtps://mail:pass@example.com:465',
  generated: 'wQ3kd93kdk',
  broken: '{"username": "x"}',
}
const read = (id: string): string => secrets[id] ?? ''
const server = 'postgres://db.example:5432/aqueduct?sslmode=verify-full&sslrootcert=/etc/aqueduct/rds-ca.pem'

describe('environmentFiles', () => {
  it('writes a part’s settings so that systemd reads them as they are', () => {
    const regions = '[{"id":"aws-us-east-1","path":"a\\\\b","money":"$HOME `x`"}]'
    const files = environmentFiles('api', { environment: { AQUEDUCT_REGIONS: regions } }, read)
    expect(files).toEqual({
      'api.env': `AQUEDUCT_REGIONS="[{\\"id\\":\\"aws-us-east-1\\",\\"path\\":\\"a\\\\\\\\b\\",\\"money\\":\\"\\$HOME \\\`x\\\`\\"}]"\n`,
    })
  })

  it('puts the owner of a database into its URL, whatever the password holds', () => {
    const settings: PartSettings = {
      environment: { A: 'b' },
      owners: {
        DATABASE_URL: { url: server, secret: 'owner', file: 'prepare.env' },
        AQUEDUCT_CELL_DATABASE_URL: { url: server, secret: 'owner', file: 'provisioner.env' },
      },
    }
    const files = environmentFiles('provisioner', settings, read)
    expect(Object.keys(files).toSorted()).toEqual(['prepare.env', 'provisioner.env'])
    // The owner of the product's database is for the preparation alone, which has nothing else.
    expect(files['prepare.env']?.trim().split('\n')).toHaveLength(1)
    expect(files['provisioner.env']).not.toContain('\nDATABASE_URL=')
    const [, url = ''] = /^DATABASE_URL="(.*)"$/m.exec(files['prepare.env'] ?? '') ?? []
    const read_ = new URL(url)
    expect(decodeURIComponent(read_.username)).toBe('aqueduct_owner')
    expect(decodeURIComponent(read_.password)).toBe('a:b/c@d?e#f%g"h\\i$j')
    expect(read_.searchParams.get('sslmode')).toBe('verify-full')
  })

  it('takes a mail server once it is one', () => {
    const with_ = (secret: string): PartSettings => ({
      environment: {},
      secretUrls: { AQUEDUCT_SMTP_URL: { secret, schemes: ['smtp:', 'smtps:'] } },
    })
    expect(environmentFiles('api', with_('smtp'), read)['api.env']).toBe(`AQUEDUCT_SMTP_URL="${secrets.smtp}"\n`)
    expect(environmentFiles('api', with_('generated'), read)['api.env']).toBe('')
  })

  it('refuses what would be another setting, or half a secret, and does not say the secret', () => {
    const two = { environment: { A: 'b\nAQUEDUCT_MASTER_KEY=x' } }
    expect(() => environmentFiles('api', two, read)).toThrow('A cannot be a setting')
    const half: PartSettings = {
      environment: {},
      owners: { DATABASE_URL: { url: server, secret: 'broken', file: 'prepare.env' } },
    }
    expect(() => environmentFiles('provisioner', half, read)).toThrow(/^the secret .* has no username or no password$/)
  })
})
