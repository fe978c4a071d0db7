import { describe, expect, it } from 'vitest'
import { temporalReleases } from '#libs/config'

describe('temporalReleases', () => {
  it('reads versions, with and without a path of the server, and builds of one’s own', () => {
    const text = JSON.stringify({
      '1.33.0': { server: '/opt/133/temporal-server', sqlTool: '/opt/133/temporal-sql-tool' },
      '1.33.0+ours.2': { sqlTool: '/opt/tool' },
    })
    expect([...temporalReleases(text)]).toEqual([
      ['1.33.0', { server: '/opt/133/temporal-server', sqlTool: '/opt/133/temporal-sql-tool' }],
      ['1.33.0+ours.2', { sqlTool: '/opt/tool' }],
    ])
    expect(temporalReleases('{}').size).toBe(0)
  })

  it.each([
    ['one that lets namespaces reach into others', { '1.31.9': { sqlTool: '/t' } }, /1\.31\.9: below 1\.32\.0/],
    ['no version', { latest: { sqlTool: '/t' } }, /"latest"/],
    ['a path that is not one', { '1.33.0': { sqlTool: 'temporal-sql-tool' } }, /sqlTool must be an absolute path/],
    ['a server that is not a path', { '1.33.0': { sqlTool: '/t', server: 'x' } }, /server must be an absolute path/],
    ['what nobody reads', { '1.33.0': { sqlTool: '/t', sha256: '' } }, /has no sha256/],
    ['a list', [], /must be a JSON object/],
  ])('refuses %s', (_, value, message) => {
    expect(() => temporalReleases(JSON.stringify(value))).toThrow(message)
  })
})
