import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { motoPython } from './moto.ts'

const run = promisify(execFile)

export interface LintFinding {
  /** `E3002` */
  readonly rule: string
  readonly message: string
  /** `Resources/Thing/Properties/Name` */
  readonly path: string
}

/** What cfn-lint finds in templates, warnings included. It comes with Moto's environment. */
export async function cfnLint(files: readonly string[], region: string): Promise<readonly LintFinding[]> {
  // The package has no `__main__`, and the scripts of the environment do not survive its move to the cache.
  const program = ['-c', 'import sys; from cfnlint.runner import main; sys.exit(main())']
  const args = [...program, '--format', 'json', '--regions', region, '--non-zero-exit-code', 'none']
  const { stdout } = await run(await motoPython(), [...args, '--', ...files], { maxBuffer: 64 * 1024 * 1024 })
  const found = JSON.parse(stdout) as readonly {
    readonly Message: string
    readonly Rule: { readonly Id: string }
    readonly Location: { readonly Path: readonly (string | number)[] | null }
  }[]
  return found.map(({ Message, Rule, Location }) => ({
    rule: Rule.Id,
    message: Message,
    path: (Location.Path ?? []).join('/'),
  }))
}
