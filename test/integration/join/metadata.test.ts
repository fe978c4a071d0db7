import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { MachineMetadata } from '../../../apps/node/remote/metadata.ts'
import { MetadataServer } from '../../harness/metadata-server.ts'

let server: MetadataServer
let metadata: MachineMetadata

beforeEach(async () => {
  server = await MetadataServer.start({ machineId: 'i-1', address: '127.0.0.1', userData: '{}' })
  metadata = new MachineMetadata(server.url)
})
afterEach(async () => {
  await server.close()
})

test('reads with a token, and asks for another when that one is over', async () => {
  expect(await metadata.need('meta-data/instance-id')).toBe('i-1')
  server.forgetTokens()
  expect(await metadata.need('meta-data/instance-id')).toBe('i-1')
})

test('tells what is not there from a service that does not answer', async () => {
  expect(await metadata.get('meta-data/spot/instance-action')).toBeUndefined()
  await expect(metadata.need('meta-data/spot/instance-action')).rejects.toThrow('has no meta-data/spot')
  await server.close()
  await expect(metadata.get('meta-data/instance-id')).rejects.toThrow()
  server = await MetadataServer.start({ machineId: 'i-1', address: '127.0.0.1', userData: '{}' })
})

test('goes nowhere else, wherever it is sent', async () => {
  const elsewhere = createServer(({ url }, response) => {
    if (url === '/taken') response.writeHead(200).end('taken')
    else response.writeHead(302, { location: '/taken' }).end()
  })
  await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve))
  try {
    const { port } = elsewhere.address() as AddressInfo
    await expect(new MachineMetadata(`http://127.0.0.1:${port}`).get('user-data')).rejects.toThrow()
  } finally {
    await new Promise((resolve) => elsewhere.close(resolve))
  }
})
