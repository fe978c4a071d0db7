import { readFileSync } from 'node:fs'
import { inject } from 'vitest'
import type { Product, ProductAddresses } from '../harness/product.ts'

/** The product that the whole tier talks to, as it looks from outside. */
export interface ProductUnderTest {
  readonly dataDirectory: string
  readonly addresses: ProductAddresses
  /** PEM of the CA whose server certificates clients have to trust. */
  readonly ca: string
  /** From the command to ready, in milliseconds. */
  readonly startMs: number
}

/** How it does right now. */
export interface Condition {
  readonly alive: boolean
  /** What it said on its terminal so far. */
  readonly output: string
}

let product: Promise<ProductUnderTest> | undefined

/** Whoever asks first starts it: some ten seconds. */
export function productUnderTest(): Promise<ProductUnderTest> {
  product ??= ask().then((answer) => ({ ...answer, ca: readFileSync(answer.addresses.caFile, 'utf8') }))
  return product
}

/** From here on this file's tests talk to a product of their own. */
export function talkTo({ dataDirectory, addresses, startMs }: Product): void {
  product = Promise.resolve({ dataDirectory, addresses, startMs, ca: readFileSync(addresses.caFile, 'utf8') })
}

export async function productCondition(): Promise<Condition> {
  const { alive, output } = await ask()
  return { alive, output }
}

async function ask(): Promise<Omit<ProductUnderTest, 'ca'> & Condition> {
  const response = await fetch(inject('productDoor'))
  const text = await response.text()
  if (!response.ok) throw new Error(text)
  return JSON.parse(text) as Omit<ProductUnderTest, 'ca'> & Condition
}
