import { expect, test } from 'vitest'
import { createCertificateAuthority } from './certificate-authority.ts'
import { readPem } from './pem.ts'
import { isStrictDer } from './strict-der.ts'

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')
const time = (tag: number, text: string) => Buffer.concat([Buffer.from([tag, text.length]), Buffer.from(text)])

test('our own certificates are strict', async () => {
  const { certificatePem } = await createCertificateAuthority({ commonName: 'strict ✓', validityDays: 1 })
  expect(isStrictDer(readPem(certificatePem).blocks[0]?.der ?? Buffer.alloc(0))).toBe(true)
})

test.each([
  ['an object identifier', hex('0603551d13')],
  ['a sequence of a set of a boolean', hex('30 05 31 03 01 01 ff')],
  ['a context tag around a value', hex('a0 03 02 01 02')],
  ['a time in UTC', time(0x17, '250101000000Z')],
])('takes %s', (_what, bytes) => {
  expect(isStrictDer(bytes)).toBe(true)
})

test.each([
  ['nothing', hex('')],
  ['bytes behind the value', hex('05 00 00')],
  ['a value cut short', hex('30 05 02 01')],
  ['an indefinite length', hex('30 80 05 00 00 00')],
  ['a length in more bytes than it needs', hex('04 81 01 00')],
  ['a long tag number', hex('1f 1f 00')],
  ['an application’s tag', hex('41 00')],
  ['a true that is not ff', hex('01 01 01')],
  ['an integer with a leading zero', hex('02 02 00 01')],
  ['an integer of no bytes', hex('02 00')],
  ['unused bits that are set', hex('03 02 01 01')],
  ['an object identifier with a padded arc', hex('06 03 2a 80 01')],
  ['an object identifier cut short', hex('06 02 2a 81')],
  ['an empty set', hex('31 00')],
  ['a string in pieces', hex('2c 03 0c 01 61')],
  ['UTF-8 that is none', hex('0c 01 ff')],
  ['half a character of two bytes', hex('1e 01 00')],
  ['a fraction of a second', time(0x18, '20250101000000.5Z')],
  ['another time zone', time(0x18, '20250101000000+0100')],
  ['the 30th of February', time(0x17, '250230000000Z')],
  ['the 60th second', time(0x17, '250101000060Z')],
  ['a type that certificates do not have', hex('09 01 00')],
  ['a hundred sequences in each other', Buffer.concat(Array.from({ length: 100 }, (_, at) => wrap(99 - at)))],
])('refuses %s', (_what, bytes) => {
  expect(isStrictDer(bytes)).toBe(false)
})

/** The head of a sequence that holds `inner` sequences in each other. */
function wrap(inner: number): Buffer {
  let length = 0
  for (let count = 0; count < inner; count += 1) length += length < 0x80 ? 2 : 3
  return length < 0x80 ? Buffer.from([0x30, length]) : Buffer.from([0x30, 0x81, length])
}
