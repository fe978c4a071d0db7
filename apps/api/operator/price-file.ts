import { readFileSync } from 'node:fs'
import { type PriceTable, readPriceTable } from '#libs/domain/costs'

const shipped = new URL('prices.json', import.meta.url)

/**
 * The operator's table of prices, or the one that comes with the product.
 * @param path of the operator's; empty: the product's.
 * @throws Error that names the file and what is wrong in it.
 */
export function readPriceFile(path: string): PriceTable {
  try {
    return readPriceTable(readFileSync(path === '' ? shipped : path, 'utf8'))
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`AQUEDUCT_PRICES_FILE: ${path === '' ? 'the table of the product' : path}: ${why}`, { cause })
  }
}
