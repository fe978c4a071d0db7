/** Deeper than any certificate, and far from what overflows a stack. */
const maxDepth = 24

/** Universal types that hold other values; every other one holds bytes. */
const constructed: ReadonlySet<number> = new Set([0x10, 0x11])

/** The content rules of universal types: X.690 section 11, and RFC 5280 4.1.2.5 for times. A type without one does not occur. */
const rules: ReadonlyMap<number, (content: Buffer) => boolean> = new Map([
  [0x01, (content) => content.length === 1 && (content[0] === 0x00 || content[0] === 0xff)],
  [0x02, isInteger],
  [0x03, isBitString],
  [0x04, () => true],
  [0x05, (content) => content.length === 0],
  [0x06, isObjectIdentifier],
  [0x0a, isInteger],
  [0x0c, isUtf8],
  [0x10, () => true],
  [0x11, (content) => content.length > 0],
  [0x12, isAscii],
  [0x13, isAscii],
  [0x14, () => true],
  [0x16, isAscii],
  [0x17, (content) => isTime(`20${content.toString('latin1')}`)],
  [0x18, (content) => isTime(content.toString('latin1'))],
  [0x1a, isAscii],
  [0x1c, (content) => content.length % 4 === 0],
  [0x1e, (content) => content.length % 2 === 0],
])

/**
 * Whether the bytes are one value in DER, to the letter. OpenSSL reads much that is only BER (fractions of seconds, empty
 * sets, strings in pieces); BoringSSL, which is Envoy's, does not, and Envoy refuses all listeners of an edge for one
 * certificate that it cannot read: what comes from a tenant has to pass here before it gets there. Looks into everything but
 * the octets of extensions, which are read when a chain is verified and then fail that chain alone.
 */
export function isStrictDer(bytes: Buffer): boolean {
  return end(bytes, 0, bytes.length, 0) === bytes.length
}

/** Where the value at `at` ends; -1 when it is not one. */
function end(bytes: Buffer, at: number, limit: number, depth: number): number {
  if (depth > maxDepth || at + 2 > limit) return -1
  const tag = bytes.readUInt8(at)
  const length = readLength(bytes, at + 1, limit)
  // Tag numbers of more than one byte are not used by certificates.
  if (length === undefined || (tag & 0x1f) === 0x1f) return -1
  const stop = length.begin + length.value
  if (stop > limit || !fits(tag, bytes.subarray(length.begin, stop))) return -1
  if ((tag & 0x20) !== 0) {
    for (let inner = length.begin; inner < stop; ) {
      inner = end(bytes, inner, stop, depth + 1)
      if (inner === -1) return -1
    }
  }
  return stop
}

function fits(tag: number, content: Buffer): boolean {
  // Of a context's own tags only the structure is known.
  if ((tag & 0xc0) === 0x80) return true
  const number = tag & 0x1f
  const rule = rules.get(number)
  return (tag & 0xc0) === 0 && ((tag & 0x20) !== 0) === constructed.has(number) && (rule?.(content) ?? false)
}

/** Definite, and in as few bytes as it can be. */
function readLength(bytes: Buffer, at: number, limit: number): { begin: number; value: number } | undefined {
  const first = bytes.readUInt8(at)
  if (first < 0x80) return { begin: at + 1, value: first }
  const count = first & 0x7f
  if (count === 0 || count > 3 || at + 1 + count > limit) return undefined
  const value = bytes.readUIntBE(at + 1, count)
  return value < 0x80 || value < 256 ** (count - 1) ? undefined : { begin: at + 1 + count, value }
}

function isInteger(content: Buffer): boolean {
  const [first, second = 0] = content
  if (first === undefined) return false
  return content.length === 1 || !((first === 0x00 && second < 0x80) || (first === 0xff && second >= 0x80))
}

function isBitString(content: Buffer): boolean {
  const unused = content[0] ?? 8
  if (unused > 7 || (content.length === 1 && unused !== 0)) return false
  return ((content.at(-1) ?? 0) & ((1 << unused) - 1)) === 0 || content.length === 1
}

function isObjectIdentifier(content: Buffer): boolean {
  if (content.length === 0 || (content.at(-1) ?? 0x80) >= 0x80) return false
  return content.every((byte, index) => byte !== 0x80 || (index > 0 && (content[index - 1] ?? 0) >= 0x80))
}

/** Down to the second and in UTC, and a moment that there was: no 30th of February. */
function isTime(text: string): boolean {
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text)
  if (parts === null) return false
  const iso = `${parts[1]}-${parts[2]}-${parts[3]}T${parts[4]}:${parts[5]}:${parts[6]}.000Z`
  const time = new Date(iso)
  return !Number.isNaN(time.getTime()) && time.toISOString() === iso
}

function isUtf8(content: Buffer): boolean {
  return Buffer.from(content.toString('utf8'), 'utf8').equals(content)
}

function isAscii(content: Buffer): boolean {
  return content.every((byte) => byte < 0x80)
}
