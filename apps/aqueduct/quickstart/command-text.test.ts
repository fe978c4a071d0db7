import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { commandText, pathsIn, quoted } from './command-text.ts'

test('a shell sees every word as it is, also where the command is broken', () => {
  const words = ['plain', "it's", 'two words', '$HOME', '{"a":"b"}', '?state=waiting', 'x'.repeat(150), '']
  const command = commandText(['printf', "'%s\\n'", ...words.map(quoted)])
  expect(command.split('\n').length).toBeGreaterThan(1)
  expect(execFileSync('sh', ['-c', command], { encoding: 'utf8' })).toBe(`${words.join('\n')}\n`)
})

test('paths are short inside the folder, and whole outside of it', () => {
  const shown = pathsIn('/home/ada/aqueduct')
  expect(shown('/home/ada/aqueduct/.aqueduct/ca.pem')).toBe('.aqueduct/ca.pem')
  expect(shown('/home/ada/other/ca.pem')).toBe('/home/ada/other/ca.pem')
  expect(shown('/home/ada/aqueduct/my data/ca.pem')).toBe("'my data/ca.pem'")
})
