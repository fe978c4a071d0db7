import { expect, it } from 'vitest'
import { readyCondition } from './ready-condition.ts'

const since = '2026-01-01T00:00:00.000Z'

it('keeps since when while the answer stays, whatever the detail', () => {
  const before = { ready: { status: false, detail: 'it starts', since } }
  expect(readyCondition(before, false, 'it still starts')).toEqual({
    ready: { status: false, detail: 'it still starts', since },
  })
})

it('begins anew when the answer is another one, or the first', () => {
  for (const before of [{}, { ready: { status: false, detail: '', since } }]) {
    const { ready } = readyCondition(before, true, '') as { readonly ready: { readonly since: string } }
    expect(Date.now() - Date.parse(ready.since)).toBeLessThan(5_000)
  }
})
