import { expect, test } from 'vitest'
import { ec2Error } from './error-kinds.ts'

/** As the SDK throws what EC2 answers. */
const answered = (Code: string, httpStatusCode: number) =>
  Object.assign(new Error('as EC2 puts it'), { name: Code, Code, $metadata: { httpStatusCode } })

test.for([
  ['InsufficientInstanceCapacity', 500, 'no_capacity', 'no-room'],
  ['Unsupported', 400, 'no_capacity', 'no-room'],
  ['VcpuLimitExceeded', 400, 'no_capacity', 'no-room'],
  ['InsufficientFreeAddressesInSubnet', 400, 'no_capacity', 'no-room'],
  ['AddressLimitExceeded', 400, 'no_capacity', undefined],
  ['RequestLimitExceeded', 503, 'throttled', undefined],
  ['IdempotentParameterMismatch', 400, 'exists', 'token-used-otherwise'],
  ['IdempotentInstanceTerminated', 400, 'denied', 'token-has-ended'],
  ['InvalidInstanceID.NotFound', 400, 'not_found', undefined],
  ['IncorrectInstanceState', 400, 'not_ready', 'wrong-state'],
  ['UnauthorizedOperation', 403, 'denied', undefined],
  ['InvalidAMIID.NotFound', 400, 'denied', undefined],
  ['ParameterNotFound', 400, 'denied', undefined],
  ['RequestExpired', 400, 'unknown', undefined],
  ['SomethingNew', 400, 'unknown', undefined],
] as const)('%s has had no effect, and is %s', ([code, status, kind, reason]) => {
  expect(ec2Error('launching', answered(code, status))).toMatchObject({ kind, reason, hadNoEffect: true })
})

test.for([
  ['what the server fails at', answered('InternalError', 500)],
  ['a server that is away', answered('Unavailable', 503)],
  ['a connection that ends', Object.assign(new Error('socket hang up'), { name: 'Error', code: 'ECONNRESET' })],
  ['an answer that does not come', Object.assign(new Error('slow'), { name: 'TimeoutError' })],
  ['what is no error', 'oops'],
] as const)('%s may have had an effect', ([, thrown]) => {
  expect(ec2Error('launching', thrown)).toMatchObject({ kind: 'unknown', hadNoEffect: false })
})

test('the message has the code, and nothing keeps the request, which is signed', () => {
  const thrown = Object.assign(answered('UnauthorizedOperation', 403), { $response: { headers: 'AWS4-HMAC-SHA256' } })
  const error = ec2Error('launching a machine', thrown)
  expect(error.message).toBe('launching a machine: UnauthorizedOperation: as EC2 puts it')
  expect(error.cause).toBeUndefined()
  expect(ec2Error('again', error)).toBe(error)
})
