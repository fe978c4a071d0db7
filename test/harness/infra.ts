import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Stack } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { DISABLE_ASSET_STAGING_CONTEXT } from 'aws-cdk-lib/cx-api'
import { buildInfra, type Infra } from '../../infra/app.ts'
import { type Installation, readInstallation } from '../../infra/installation.ts'

/** The installation of the example file. */
export function exampleInstallation(): Installation {
  const file = resolve(import.meta.dirname, '../../infra/installation.example.json')
  return readInstallation(readFileSync(file, 'utf8'))
}

/** Its stacks, or those of one that differs; the folder that they are written to goes when the process ends. */
export function exampleInfra(changes: Partial<Installation> = {}): Infra {
  const outdir = mkdtempSync(join(tmpdir(), 'aqueduct-infra-'))
  process.once('exit', () => rmSync(outdir, { recursive: true, force: true }))
  // The product's files are counted into what changes an image, and need not be copied for that.
  const context = { [DISABLE_ASSET_STAGING_CONTEXT]: true }
  return buildInfra({ ...exampleInstallation(), ...changes }, { outdir, context })
}

/** What CloudFormation would get. */
export type TemplateJson = {
  readonly Resources: Readonly<Record<string, TemplateResource>>
  readonly Outputs?: Readonly<Record<string, { readonly Value: unknown; readonly Export?: { readonly Name: string } }>>
}

interface TemplateResource {
  readonly Type: string
  readonly Properties?: Readonly<Record<string, unknown>>
  readonly DependsOn?: string | readonly string[]
  readonly DeletionPolicy?: string
}

export function templateOf(stack: Stack): TemplateJson {
  return Template.fromStack(stack).toJSON() as TemplateJson
}

/**
 * A value as CloudFormation would resolve it, with made-up ids in place of what only AWS knows.
 * @param known by logical id, or by `<logical id>.<attribute>`
 */
export function resolved(value: unknown, known: (reference: string) => string): unknown {
  if (Array.isArray(value)) return value.map((item) => resolved(item, known))
  if (typeof value !== 'object' || value === null) return value
  const record = value as Record<string, unknown>
  if ('Ref' in record) return known(String(record.Ref))
  if ('Fn::GetAtt' in record) return known((record['Fn::GetAtt'] as string[]).join('.'))
  if ('Fn::ImportValue' in record) return known(String(record['Fn::ImportValue']))
  if ('Fn::Join' in record) {
    const [separator, parts] = record['Fn::Join'] as [string, readonly unknown[]]
    return parts.map((part) => String(resolved(part, known))).join(separator)
  }
  return Object.fromEntries(Object.entries(record).map(([key, item]) => [key, resolved(item, known)]))
}
