import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { logFiles } from './product.ts'

/** What must never stand in a log, by what it is. */
const patterns: Readonly<Record<string, RegExp>> = {
  'a token': /eyJ[\w-]{8,}/,
  'a private key': /PRIVATE KEY/,
  'an invitation': /aqinv_[\w-]{8,}/,
  'a password in a URL': /postgres(?:ql)?:\/\/[^:/@\s]+:[^@\s]+@/,
}

/**
 * Looks for secrets in every log of a product, and in what it said on its terminal.
 * @returns where and what, without the secret itself; empty when all is well.
 */
export function findLeaks(dataDirectory: string, output: string): readonly string[] {
  const known: Readonly<Record<string, string>> = {
    'the master key': readFileSync(join(dataDirectory, 'master.key'), 'utf8').trim(),
    'the password of Postgres': passwordOf(join(dataDirectory, 'postgres.json')),
  }
  const texts = logFiles(dataDirectory).map((file) => [file, readFileSync(file, 'utf8')] as const)
  return [...texts, ['the terminal', output] as const].flatMap(([where, text]) => [
    ...Object.entries(patterns).flatMap(([what, pattern]) => {
      const at = text.search(pattern)
      return at < 0 ? [] : [`${where} holds ${what}, behind ${JSON.stringify(text.slice(Math.max(0, at - 80), at))}`]
    }),
    ...Object.entries(known).flatMap(([what, secret]) => (text.includes(secret) ? [`${where} holds ${what}`] : [])),
  ])
}

function passwordOf(file: string): string {
  const { password } = JSON.parse(readFileSync(file, 'utf8')) as { password?: unknown }
  if (typeof password !== 'string' || password === '') throw new Error(`${file} holds no password`)
  return password
}
