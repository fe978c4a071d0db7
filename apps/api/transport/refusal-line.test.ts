import { expect, test } from 'vitest'
import { AppError, notFound } from '#libs/base'
import { refusalLine } from './refusal-line.ts'

test('a refusal is a line of bounded length, whatever the caller sent', () => {
  const short = new AppError('not_found', 'no', { context: { id: 'x' } })
  expect(refusalLine(short)).toEqual({ reason: 'no', context: { id: 'x' } })
  const id = 'x'.repeat(1_000_000)
  const long = new AppError('not_found', notFound('namespace', id).message, { context: { target: { id } } })
  expect(JSON.stringify(refusalLine(long)).length).toBeLessThan(5000)
  expect(refusalLine(long).reason).toContain('namespace "xxx')
})
