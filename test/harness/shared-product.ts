import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestProject } from 'vitest/node'
import { findLeaks } from './leaks.ts'
import { type Product, removeData, startProduct } from './product.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** See test/acceptance/product-under-test.ts, which asks it. */
    productDoor: string
  }
}

/** Two regions, so that there are two cells: what one of them knows must be worth nothing at the other. */
const regions = [
  { id: 'aws-us-east-1', driver: 'local', location: 'US East (N. Virginia)' },
  { id: 'aws-eu-west-1', driver: 'local', location: 'Europe (Ireland)' },
]

/**
 * One product for the whole acceptance tier. It starts when the first test asks for it, not when the run begins: tiers
 * before this one have the machine for themselves.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  let started: Promise<Product> | undefined
  const start = (): Promise<Product> =>
    startProduct({
      env: {
        AQUEDUCT_REGIONS: JSON.stringify(regions),
        // Everybody comes from one address here.
        AQUEDUCT_SIGNUP_RATE: '10000',
        AQUEDUCT_BAD_CREDENTIALS_RATE: '100000',
      },
    })
  const server = createServer((_request, response) => {
    started ??= start()
    started.then(
      ({ dataDirectory, addresses, startMs, alive, output }) =>
        response.end(JSON.stringify({ dataDirectory, addresses, startMs, alive, output: output() })),
      (thrown: unknown) => {
        response.statusCode = 500
        response.end(String(thrown))
      },
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  project.provide('productDoor', `http://127.0.0.1:${(server.address() as AddressInfo).port}`)

  return async () => {
    server.close()
    const product = await started?.catch(() => undefined)
    if (product === undefined) return
    try {
      await product.stop()
      const leaks = findLeaks(product.dataDirectory, product.output())
      if (leaks.length > 0) throw new Error(leaks.join('\n'))
      if (project.vitest.state.getCountOfFailedTests() === 0) removeData(product.dataDirectory)
      else process.stderr.write(`The product's logs are kept in ${product.dataDirectory}\n`)
    } catch (thrown) {
      // Vitest prints what a teardown throws, and calls the run a success all the same.
      process.exitCode = 1
      throw thrown
    }
  }
}
