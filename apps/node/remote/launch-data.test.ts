import { describe, expect, it } from 'vitest'
import { readLaunchData } from './launch-data.ts'

const data = {
  nodeId: 'node-1',
  cellId: 'cell-1',
  joinUrls: ['https://10.0.0.1:7097'],
  caPem: '-----BEGIN CERTIFICATE-----\n',
  token: 'the-token',
}

describe('readLaunchData', () => {
  it('takes what the provisioner renders', () => {
    expect(readLaunchData(JSON.stringify(data))).toEqual(data)
  })

  it.each([
    ['text that is not JSON', '#cloud-config the-token'],
    ['no object', '"the-token"'],
    ['an id that leads elsewhere', JSON.stringify({ ...data, nodeId: '../node-1' })],
    ['a join listener without TLS', JSON.stringify({ ...data, joinUrls: ['http://10.0.0.1:7097'] })],
    ['no join listener', JSON.stringify({ ...data, joinUrls: [] })],
    ['no CA', JSON.stringify({ ...data, caPem: 'the-token' })],
    ['no token', JSON.stringify({ ...data, token: '' })],
  ])('refuses %s, and does not say what it says', (_, text) => {
    expect(() => readLaunchData(text)).toThrow(/^(?!.*the-token)/)
  })
})
