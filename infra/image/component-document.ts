/** One step of an Image Builder component: a bash script, which stops at its first error. */
export interface BashStep {
  readonly name: string
  readonly script: string
}

export interface DownloadStep {
  readonly name: string
  /** `s3://…` */
  readonly source: string
  readonly destination: string
}

export interface ComponentDocument {
  readonly name: string
  readonly description: string
  readonly build: readonly (BashStep | DownloadStep)[]
  /** On an instance that was started from the finished image. */
  readonly test?: readonly BashStep[]
}

/** The YAML that Image Builder takes. */
export function componentYaml({ name, description, build, test = [] }: ComponentDocument): string {
  const phases = [phase('build', build), ...(test.length === 0 ? [] : [phase('test', test)])]
  return `name: ${name}\ndescription: ${JSON.stringify(description)}\nschemaVersion: 1.0\nphases:\n${phases.join('')}`
}

function phase(name: string, steps: readonly (BashStep | DownloadStep)[]): string {
  return `  - name: ${name}\n    steps:\n${steps.map(step).join('')}`
}

function step(item: BashStep | DownloadStep): string {
  if ('source' in item) {
    const { name, source, destination } = item
    return `      - name: ${name}\n        action: S3Download\n        inputs:\n          - source: ${source}\n            destination: ${destination}\n`
  }
  const script = `set -euo pipefail\n${item.script.trim()}`.replaceAll(/^(?=.)/gm, '              ')
  return `      - name: ${item.name}\n        action: ExecuteBash\n        inputs:\n          commands:\n            - |\n${script}\n`
}
