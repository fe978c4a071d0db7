import { pythonEnvironment } from './python-environment.ts'

/** The Python interpreter of an environment that has schemathesis: run it with `-m schemathesis.cli`. */
export function schemathesisPython(): Promise<string> {
  return pythonEnvironment({
    name: 'schemathesis',
    version: '4.32.5',
    requirements: 'schemathesis.requirements.txt',
  })
}
