import { readFileSync } from 'node:fs'
import { inject } from 'vitest'
import type { ProductAddresses } from '../harness/product.ts'

/** The product that the whole tier talks to, as it looks from outside. */
export interface ProductUnderTest {
  readonly dataDirectory: string
  readonly addresses: ProductAddresses
  /** PEM of the CA whose server certificates clients have to trust. */
  readonly ca: string
  readonly startMs: number
  readonly alive: boolean
  /** What it said on its terminal so far. */
  readonly output: string
}

/** Whoever asks first starts it: some ten seconds. */
export async function productUnderTest(): Promise<ProductUnderTest> {
  const response = await fetch(inject('productDoor'))
  const text = await response.text()
  if (!response.ok) throw new Error(text)
  const product = JSON.parse(text) as Omit<ProductUnderTest, 'ca'>
  return { ...product, ca: readFileSync(product.addresses.caFile, 'utf8') }
}
