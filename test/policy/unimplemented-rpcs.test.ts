import { expect, it } from 'vitest'
import { rpcIsInPolicy } from '#libs/authz'
import { rpcs } from '#libs/cloud-api'
import { createCloudHandlers } from '../../apps/api/resources/cloud-handlers.ts'
import { checkRatchet } from './ratchet.ts'

const unimplemented = new URL('unimplemented-rpcs.txt', import.meta.url)

/** Handlers are made without anything to work on: only their names count here. */
const handlers = createCloudHandlers({ regions: [] } as unknown as Parameters<typeof createCloudHandlers>[0])

it('serves every method of the contract that is not on the list', () => {
  const missing = rpcs.filter(({ name }) => handlers[name] === undefined).map(({ name }) => name)
  expect(checkRatchet(unimplemented, missing)).toEqual([])
})

it('serves nothing that the policy does not know', () => {
  expect(Object.keys(handlers).filter((name) => !rpcIsInPolicy(name))).toEqual([])
})
