import { parseArgs } from 'node:util'

export const benchNames = [
  'audit',
  'authz',
  'create',
  'burst',
  'edge',
  'get',
  'isolation',
  'lists',
  'scale',
  'start',
] as const
export type BenchName = (typeof benchNames)[number]

export interface BenchOptions {
  readonly only: readonly BenchName[]
  /** Few and short rounds: to see that it works, and roughly where things stand. */
  readonly quick: boolean
  /** Where the numbers go besides the screen. */
  readonly jsonFile: string | undefined
}

const usage = `npm run bench -- [--only ${benchNames.join(',')}] [--quick] [--json <file>]`

/** @throws Error that says what is wrong and how to say it right. */
export function readOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: { only: { type: 'string' }, quick: { type: 'boolean' }, json: { type: 'string' } },
  })
  const only = (values.only?.split(',') ?? benchNames).map((name) => {
    const known = benchNames.find((candidate) => candidate === name)
    if (known === undefined) throw new Error(`there is no bench ${JSON.stringify(name)}: ${usage}`)
    return known
  })
  return { only, quick: values.quick ?? false, jsonFile: values.json }
}
