import { expect, it } from 'vitest'
import { sealer } from '#libs/sealing'
import { renderUserData } from './user-data.ts'

const box = sealer(Buffer.alloc(32, 7))
const user = { nodeId: 'node-1', cellId: 'cell-1', joinUrls: ['https://10.0.0.1:7097'], caPem: 'CA' }

it('says who the node is, where it joins, and one token, and nothing else', () => {
  const { token, ...rest } = JSON.parse(renderUserData(box, user)) as Record<string, unknown>
  expect(rest).toEqual(user)
  expect(token).toMatch(/^[0-9a-f]{64}$/)
})

it('is the same at every retry of a launch, and has another token for every node and master key', () => {
  expect(renderUserData(box, user)).toBe(renderUserData(box, { ...user }))
  const tokenOf = (text: string) => (JSON.parse(text) as { token: string }).token
  const tokens = [
    renderUserData(box, user),
    renderUserData(box, { ...user, nodeId: 'node-2' }),
    renderUserData(sealer(Buffer.alloc(32, 8)), user),
  ].map(tokenOf)
  expect(new Set(tokens).size).toBe(3)
})

it('refuses to be larger than a machine can be given', () => {
  const many = Array.from({ length: 600 }, (_, index) => `https://10.0.${index}.1:7097/aqueduct`)
  expect(() => renderUserData(box, { ...user, joinUrls: many })).toThrow('joinUrls')
})
