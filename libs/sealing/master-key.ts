const bytes = 32

/**
 * Reads a master key: 32 bytes, written as base64 (with or without padding, URL-safe or not) or as hex.
 * @throws Error whose message completes "AQUEDUCT_X …"; it never repeats what was given.
 */
export function readMasterKey(text: string): Buffer {
  const written = text.trim()
  if (/^[0-9a-f]{64}$/i.test(written)) return Buffer.from(written, 'hex')
  // 43 characters and 0–1 of padding are exactly 32 bytes; Buffer.from alone would skip what it cannot read.
  if (/^[A-Za-z0-9+/_-]{43}=?$/.test(written)) return Buffer.from(written, 'base64')
  throw new Error(
    `must be ${bytes} bytes as base64 (44 characters) or hex (64 characters): make one with "openssl rand -base64 ${bytes}"`,
  )
}
