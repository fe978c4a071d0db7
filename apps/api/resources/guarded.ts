import { invalid, type Problem } from '#libs/base'
import { overDatabase } from '../plugins/over-database.ts'
import type { ApiHandlers } from './operations/wire.ts'

type AnyHandler = (context: unknown, request: object) => Promise<object>

/**
 * What every handler needs, whichever it is: texts that Postgres cannot hold are refused by name (they would surface as
 * an error of the database, and look like ours), and an absent database is UNAVAILABLE.
 */
export function guarded(handlers: ApiHandlers): ApiHandlers {
  const entries = Object.entries(handlers).map(([name, handler]) => {
    // Keyed by the rpc's name both before and after; the compiler cannot follow.
    const inner = handler as AnyHandler
    const outer: AnyHandler = async (context, request) => {
      const problems: Problem[] = []
      findNul(request, '', problems)
      if (problems.length > 0) throw invalid(problems)
      return overDatabase(() => inner(context, request))
    }
    return [name, outer]
  })
  return Object.fromEntries(entries) as ApiHandlers
}

function findNul(value: unknown, path: string, problems: Problem[]): void {
  if (typeof value === 'string') {
    if (value.includes('\0')) problems.push({ field: path, message: 'must not contain the character U+0000' })
    return
  }
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return
  for (const [key, each] of Object.entries(value)) {
    const name = Array.isArray(value) ? `[${key}]` : snakeCase(key)
    findNul(key, path || 'request', problems)
    findNul(each, path === '' || name.startsWith('[') ? path + name : `${path}.${name}`, problems)
  }
}

/** As the contract writes it. Keys of maps are lower-case already, or wrong in any case. */
function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
