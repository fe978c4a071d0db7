import { expect, it } from 'vitest'
import { proxyFieldOf, proxyHeader } from '#libs/domain/edges'

it('names a VPC endpoint as AWS does, and a PSC connection as Google does', () => {
  const aws = proxyFieldOf({ provider: 'aws', connectionId: 'vpce-1' })
  expect([aws.type, Buffer.from(aws.value).toString('hex')]).toEqual([0xea, '01767063652d31'])
  const gcp = proxyFieldOf({ provider: 'gcp', connectionId: '107025456148258820' })
  expect([gcp.type, Buffer.from(gcp.value).toString('hex')]).toEqual([0xe0, '017c3b15d7a42004'])
})

it.each(['vpce-1', '', '-1', '1.5', '18446744073709551616', '0x10'])(
  'takes no %j for a PSC connection',
  (connectionId) => {
    expect(() => proxyFieldOf({ provider: 'gcp', connectionId })).toThrow(RangeError)
  },
)

it('is the signature, version 2, TCP over IPv4, the length, two addresses, and the fields', () => {
  const header = proxyHeader([{ type: 0xea, value: Buffer.from('abc') }])
  const addresses = '7f0000017f00000100010001'
  expect(header.toString('hex')).toBe(`0d0a0d0a000d0a515549540a21110012${addresses}ea0003616263`)
})
