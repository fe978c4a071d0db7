import { expect, test } from 'vitest'
import { AppError, invalid } from '#libs/base'
import { statusJson, statusOf } from './status.ts'

test('each code has its gRPC code and its HTTP status', () => {
  const codes = [
    'invalid',
    'unauthenticated',
    'forbidden',
    'not_found',
    'already_exists',
    'precondition',
    'exhausted',
    'internal',
    'unimplemented',
    'unavailable',
  ] as const
  const numbers = codes.map((code) => {
    const { grpcCode, httpStatus } = statusOf(new AppError(code, 'x'), 'r')
    return `${code} ${grpcCode} ${httpStatus}`
  })
  expect(numbers).toEqual([
    'invalid 3 400',
    'unauthenticated 16 401',
    'forbidden 7 403',
    'not_found 5 404',
    'already_exists 6 409',
    'precondition 9 400',
    'exhausted 8 429',
    'internal 13 500',
    'unimplemented 12 501',
    'unavailable 14 503',
  ])
})

test('what is not ours tells the caller nothing but where to look', () => {
  const status = statusOf(new TypeError('password is hunter2'), 'req-1')
  expect(statusJson(status)).toEqual({ code: 13, message: 'internal error; request id req-1' })
})

test('problems become a BadRequest', () => {
  const status = statusOf(invalid([{ field: 'spec.name', message: 'is too long' }]), 'r')
  expect(statusJson(status)).toEqual({
    code: 3,
    message: 'spec.name: is too long',
    details: [
      {
        '@type': 'type.googleapis.com/google.rpc.BadRequest',
        fieldViolations: [{ field: 'spec.name', description: 'is too long' }],
      },
    ],
  })
})

test('messages fit a header, and are well formed', () => {
  const { message } = statusOf(new AppError('invalid', `\ud800${'x'.repeat(100_000)}`), 'r')
  expect(message.length).toBeLessThanOrEqual(2048)
  expect(() => encodeURIComponent(message)).not.toThrow()
})

test('exhausted says when to come again', () => {
  expect(statusOf(new AppError('exhausted', 'x'), 'r').retryAfterSeconds).toBe(1)
  expect(statusOf(new AppError('exhausted', 'x', { context: { retryAfterSeconds: 2.5 } }), 'r').retryAfterSeconds).toBe(
    3,
  )
  expect(statusOf(new AppError('unavailable', 'x'), 'r').retryAfterSeconds).toBeUndefined()
})
