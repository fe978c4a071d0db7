import { readFileSync } from 'node:fs'
import { type Answer, http, type Identity, type Json } from './http.ts'
import { productUnderTest } from './product-under-test.ts'

/** The first operator's client certificate, which the product made at its first start. */
export async function operatorIdentity(): Promise<Identity> {
  const { addresses } = await productUnderTest()
  return {
    certificate: readFileSync(addresses.operatorCertificateFile, 'utf8'),
    key: readFileSync(addresses.operatorKeyFile, 'utf8'),
  }
}

/** A call of the operator API. @param path behind `/operator/v1` */
async function operatorAnswer(method: string, path: string, body?: unknown): Promise<Answer> {
  const { addresses, ca } = await productUnderTest()
  return http(`${addresses.operator}/operator/v1${path}`, { method, body, ca, identity: await operatorIdentity() })
}

/** As `operatorAnswer`. @throws Error for any answer but 200. */
export async function operator<Shape = Json>(method: string, path: string, body?: unknown): Promise<Shape> {
  const answer = await operatorAnswer(method, path, body)
  if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`)
  return answer.json as Shape
}
