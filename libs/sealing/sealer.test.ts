import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { SealError, type SealErrorKind } from './seal-error.ts'
import { sealer } from './sealer.ts'

const key = Buffer.alloc(32, 7)
const box = sealer(key)

function kindOf(open: () => unknown): SealErrorKind {
  try {
    open()
  } catch (thrown) {
    if (thrown instanceof SealError) return thrown.kind
    throw thrown
  }
  throw new Error('it opened')
}

test('what is sealed opens at its place', () => {
  expect(box.open(box.seal('clé privée', 'cells/a/key'), 'cells/a/key').toString()).toBe('clé privée')
  const bytes = randomBytes(4096)
  expect(box.open(box.seal(bytes, 'x'), 'x')).toEqual(bytes)
  expect(box.open(box.seal('', 'x'), 'x')).toHaveLength(0)
  expect(sealer(Buffer.alloc(32, 7)).open(box.seal('after a restart', 'x'), 'x').toString()).toBe('after a restart')
})

test('the same secret never looks the same, and does not show', () => {
  const sealed = box.seal('the secret', 'x')
  expect(sealed).toMatch(/^aq1\.[0-9a-f]{8}\.[A-Za-z0-9_-]+$/)
  expect(box.seal('the secret', 'x')).not.toBe(sealed)
  expect(Buffer.from(sealed.split('.')[2] ?? '', 'base64url').includes('the secret')).toBe(false)
})

test('a value that was moved to another place does not open', () => {
  const sealed = box.seal('secret', 'cells/a/key')
  expect(kindOf(() => box.open(sealed, 'cells/b/key'))).toBe('altered')
})

test('no bit can be changed', () => {
  const [head, id, body] = box.seal('secret', 'x').split('.')
  const bytes = Buffer.from(body ?? '', 'base64url')
  for (let index = 0; index < bytes.length; index += 1) {
    const forged = Buffer.from(bytes)
    forged.writeUInt8(forged.readUInt8(index) ^ 1, index)
    expect(kindOf(() => box.open(`${head}.${id}.${forged.toString('base64url')}`, 'x'))).toBe('altered')
  }
})

test('another master key is told apart from damage, and the message says what to do', () => {
  const other = sealer(Buffer.alloc(32, 8))
  const sealed = box.seal('secret', 'x')
  expect(kindOf(() => other.open(sealed, 'x'))).toBe('wrong_key')
  expect(() => other.open(sealed, 'x')).toThrow(
    `sealed with master key ${box.keyId}, but the configured one is ${other.keyId}: start with the master key`,
  )
})

test('what is no sealed value is refused as such', () => {
  const values = ['', 'plaintext', 'aq1.0000.AAAA', `aq1.${box.keyId}.AAAA`, box.seal('s', 'x').replace('aq1', 'aq9')]
  for (const value of values) expect(kindOf(() => box.open(value, 'x'))).toBe('malformed')
})

test('a key of another length is refused', () => {
  expect(() => sealer(Buffer.alloc(16))).toThrow('32 bytes')
})

test('a derived secret is the same everywhere, another for another purpose or key, and not the key', () => {
  const derived = box.derive('cells/a/nexus')
  expect(derived).toMatch(/^[0-9a-f]{64}$/)
  expect(sealer(Buffer.alloc(32, 7)).derive('cells/a/nexus')).toBe(derived)
  expect(box.derive('cells/b/nexus')).not.toBe(derived)
  expect(sealer(Buffer.alloc(32, 8)).derive('cells/a/nexus')).not.toBe(derived)
  expect(derived).not.toBe(key.toString('hex'))
})
