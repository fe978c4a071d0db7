import { coerceError } from '#libs/base'

/** The environment as `main.ts` hands it in; nothing else reads `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>

/** One knob: its name, its default, its bound and its help stand on one line where it is declared. */
export interface Setting<Value> {
  readonly name: string
  /** As an operator would write it; `undefined` marks a setting that must be given. */
  readonly fallback: string | undefined
  readonly help: string
  /** Throws an `Error` whose message completes "AQUEDUCT_X …". */
  readonly parse: (text: string) => Value
}

export function setting<Value>(
  name: string,
  fallback: string | undefined,
  parse: (text: string) => Value,
  help: string,
): Setting<Value> {
  return Object.freeze({ name, fallback, help, parse })
}

export function text(value: string): string {
  return value
}

export function integer(min: number, max: number): (value: string) => number {
  return (value) => {
    const number = Number(value)
    if (!Number.isInteger(number) || number < min || number > max) {
      throw new Error(`must be a whole number from ${min} to ${max}, not ${JSON.stringify(value)}`)
    }
    return number
  }
}

function oneOf<const Choice extends string>(...choices: readonly Choice[]): (value: string) => Choice {
  return (value) => {
    const choice = choices.find((candidate) => candidate === value)
    if (choice === undefined) throw new Error(`must be one of ${choices.join(', ')}, not ${JSON.stringify(value)}`)
    return choice
  }
}

export const logLevel = oneOf('trace', 'debug', 'info', 'warn', 'error')

/** 0 stands for a free one. */
export const port = integer(0, 65_535)

/** Separated by commas. */
export function list(value: string): readonly string[] {
  return value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

type Values<Settings> = { readonly [Key in keyof Settings]: Settings[Key] extends Setting<infer Value> ? Value : never }

/**
 * Reads every setting once, and reports every mistake at once.
 * @throws Error that lists each setting that is missing or wrong, with its help.
 */
export function readSettings<Settings extends Readonly<Record<string, Setting<unknown>>>>(
  settings: Settings,
  environment: Environment,
): Values<Settings> {
  const mistakes: string[] = []
  const values: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(settings)) {
    const given = environment[item.name]
    const written = given === undefined || given === '' ? item.fallback : given
    if (written === undefined) {
      mistakes.push(`${item.name} must be set: ${item.help}`)
      continue
    }
    try {
      values[key] = item.parse(written)
    } catch (thrown) {
      mistakes.push(`${item.name} ${coerceError(thrown).message} (${item.help})`)
    }
  }
  if (mistakes.length > 0) throw new Error(`The configuration is not usable:\n  ${mistakes.join('\n  ')}`)
  return Object.freeze(values) as Values<Settings>
}
