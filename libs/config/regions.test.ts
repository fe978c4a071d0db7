import { expect, it } from 'vitest'
import { regions } from './regions.ts'

const withDns = (dns: unknown) => regions(JSON.stringify([{ id: 'aws-us-east-1', driver: 'fake', dns }]))[0]?.dns

it('keeps names nowhere when nothing is said', () => {
  expect(withDns(undefined)).toEqual({ provider: 'none' })
  expect(withDns({ provider: 'none' })).toEqual({ provider: 'none' })
})

it('takes a zone of Route 53, and another endpoint', () => {
  const zone = { provider: 'route53', hostedZoneId: 'Z0123456789ABC' }
  expect(withDns(zone)).toEqual(zone)
  expect(withDns({ ...zone, endpoint: 'http://127.0.0.1:5000' })).toEqual({
    ...zone,
    endpoint: 'http://127.0.0.1:5000',
  })
})

it.each([
  [{ provider: 'cloudflare' }, 'dns must be'],
  [{ provider: 'route53' }, 'hostedZoneId'],
  [{ provider: 'route53', hostedZoneId: '/hostedzone/Z0123' }, 'without /hostedzone/'],
  [{ provider: 'route53', hostedZoneId: 'Z0123', zone: 'example.com' }, 'has no zone'],
  [{ provider: 'route53', hostedZoneId: 'Z0123', endpoint: 'here' }, 'endpoint must be a URL'],
  ['route53', 'dns must be'],
])('refuses %j', (dns, reason) => {
  expect(() => withDns(dns)).toThrow(reason)
})
