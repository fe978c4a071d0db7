import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { customActionsOn } from '#libs/authz'
import { customResourceTypeNames, customResourceTypes } from '#libs/domain/custom-roles'

it('docs/security.md has every action that a custom role may name, beside its type', () => {
  const lines = readFileSync(new URL('../../docs/security.md', import.meta.url), 'utf8').split('\n')
  const missing = customResourceTypes.flatMap((type) => {
    const { wire } = customResourceTypeNames[type]
    const rows = lines.filter((line) => line.startsWith('| `') && line.split('|')[1]?.includes(`\`${wire}\``)).join()
    return customActionsOn(type).filter((action) => !rows.includes(`\`${action}\``))
  })
  expect(missing).toEqual([])
})
