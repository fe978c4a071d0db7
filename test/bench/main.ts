import { writeFileSync } from 'node:fs'
import { coerceError } from '#libs/base'
import { removeData } from '../harness/product.ts'
import { benchAudit } from './benches/audit.ts'
import { benchAuthz } from './benches/authz.ts'
import { benchBurst } from './benches/burst.ts'
import { benchCreate } from './benches/create.ts'
import { benchEdge } from './benches/edge.ts'
import { benchGet } from './benches/get.ts'
import { benchIsolation } from './benches/isolation.ts'
import { benchLists } from './benches/lists.ts'
import { benchScale } from './benches/scale.ts'
import { benchStart } from './benches/start.ts'
import { LoadProcess } from './load/load-process.ts'
import { machineAfter, machineBefore, renderMachine } from './machine.ts'
import type { Measurement } from './measurement.ts'
import { type BenchName, type BenchOptions, readOptions } from './options.ts'
import { type Scene, setScene } from './scene.ts'
import { type Screen, terminalScreen } from './screen.ts'
import { renderTable } from './table.ts'

/** They need no product. */
const alone = { authz: benchAuthz, scale: benchScale } as const
type ProductLess = keyof typeof alone

/** On a running product, in this order: quiet ones first, and the start last, on data that is worth the name. */
const benches: Readonly<Record<Exclude<BenchName, ProductLess>, (scene: Scene) => Promise<readonly Measurement[]>>> = {
  edge: benchEdge,
  get: benchGet,
  isolation: benchIsolation,
  lists: benchLists,
  audit: benchAudit,
  create: benchCreate,
  burst: benchBurst,
  start: benchStart,
}

async function main({ only, quick, jsonFile }: BenchOptions, screen: Screen): Promise<void> {
  const before = machineBefore()
  const measurements: Measurement[] = []
  for (const [name, bench] of Object.entries(alone)) {
    if (!only.includes(name as BenchName)) continue
    measurements.push(...(await timed(screen, name, () => bench({ screen, quick }))))
  }
  if (only.some((name) => !(name in alone))) measurements.push(...(await measureProduct(only, quick, screen)))
  const machine = machineAfter(before)
  process.stdout.write(`\n${renderMachine(machine)}\n\n${renderTable(measurements)}\n`)
  if (jsonFile !== undefined) writeFileSync(jsonFile, `${JSON.stringify({ machine, quick, measurements }, null, 2)}\n`)
}

async function measureProduct(
  only: readonly BenchName[],
  quick: boolean,
  screen: Screen,
): Promise<readonly Measurement[]> {
  const load = new LoadProcess()
  const scene = await setScene({ load, screen, quick })
  const measurements: Measurement[] = []
  try {
    for (const [name, bench] of Object.entries(benches)) {
      if (!only.includes(name as BenchName)) continue
      measurements.push(...(await timed(screen, name, () => bench(scene))))
    }
  } finally {
    load.stop()
    await scene.close()
  }
  removeData(scene.product.dataDirectory)
  return measurements
}

async function timed<T>(screen: Screen, name: string, work: () => Promise<T>): Promise<T> {
  const began = performance.now()
  screen.line(`Measuring: ${name}`)
  const result = await work()
  screen.line(`  ${((performance.now() - began) / 1000).toFixed(0)} s`)
  return result
}

const screen = terminalScreen(process.stderr)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
try {
  await main(readOptions(process.argv.slice(2)), screen)
} catch (thrown) {
  screen.line(`\n${coerceError(thrown).stack ?? String(thrown)}`)
  process.exitCode = 1
}
