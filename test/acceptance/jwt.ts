import { createHmac, type KeyObject, sign } from 'node:crypto'

type Claims = Readonly<Record<string, unknown>>

export interface Jwt {
  readonly header: Claims
  readonly payload: Claims
  readonly signature: string
}

export function readJwt(token: string): Jwt {
  const [header = '', payload = '', signature = ''] = token.split('.')
  return { header: decoded(header), payload: decoded(payload), signature }
}

/** A token that anybody could make: signed with a key of theirs, or by HMAC with a text, or not at all. */
export function forgeJwt({ header, payload }: Pick<Jwt, 'header' | 'payload'>, key: KeyObject | string): string {
  const text = `${encoded(header)}.${encoded(payload)}`
  return `${text}.${signatureOf(text, key)}`
}

/** The token with other contents, and the signature that it had. */
export function alterJwt(token: string, change: { readonly header?: Claims; readonly payload?: Claims }): string {
  const { header, payload, signature } = readJwt(token)
  return `${encoded({ ...header, ...change.header })}.${encoded({ ...payload, ...change.payload })}.${signature}`
}

function signatureOf(text: string, key: KeyObject | string): string {
  if (typeof key === 'string') return key === '' ? '' : createHmac('sha256', key).update(text).digest('base64url')
  return sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')
}

function encoded(claims: Claims): string {
  return Buffer.from(JSON.stringify(claims)).toString('base64url')
}

function decoded(part: string): Claims {
  return JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as Claims
}
