import { Validations } from 'aws-cdk-lib'
import type { IConstruct } from 'constructs'

/** Says to cdk-nag why a finding below `construct` is as it should be: finding to reason. */
export function acknowledge(construct: IConstruct, reasons: Readonly<Record<string, string>>): void {
  for (const [id, reason] of Object.entries(reasons)) Validations.of(construct).acknowledge({ id, reason })
}
