export interface PemBlock {
  /** What stands after BEGIN, such as `CERTIFICATE`. */
  readonly label: string
  readonly der: Buffer
}

export interface PemText {
  readonly blocks: readonly PemBlock[]
  /** What keeps the text from being PEM, in words for whoever wrote it. */
  readonly problems: readonly string[]
}

const begin = /^-----BEGIN ([A-Z0-9 ]+)-----\s*$/
const base64 = /^[A-Za-z0-9+/]+={0,2}$/

/**
 * Reads RFC 7468 text. Words around the blocks are allowed, as `openssl` writes them; a boundary that is damaged is
 * not, since its block would otherwise be left out without a word.
 */
export function readPem(text: string): PemText {
  const blocks: PemBlock[] = []
  const problems: string[] = []
  const lines = text.split(/\r\n|\r|\n/)
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? ''
    const label = begin.exec(line)?.[1]
    if (label === undefined) {
      if (line.includes('-----')) problems.push(`line ${at + 1} is a PEM boundary that does not open a block`)
      continue
    }
    const end = lines.findIndex((candidate, index) => index > at && candidate.trimEnd() === `-----END ${label}-----`)
    if (end === -1) {
      problems.push(`the ${label} block that begins on line ${at + 1} has no END line`)
      break
    }
    const body = lines
      .slice(at + 1, end)
      .join('')
      .replaceAll(/\s/g, '')
    if (body.length % 4 === 0 && base64.test(body)) blocks.push({ label, der: Buffer.from(body, 'base64') })
    else problems.push(`the ${label} block that begins on line ${at + 1} is not base64`)
    at = end
  }
  return { blocks, problems }
}

/** One block with lines of 64 characters and a final newline. */
export function writePem(label: string, der: Uint8Array): string {
  const body = Buffer.from(der)
    .toString('base64')
    .replaceAll(/.{64}(?!$)/g, '$&\n')
  return `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`
}
