import { describe, expect, test } from 'vitest'
import { subjectPattern } from './subject-pattern.ts'

/** As Envoy does: the whole subject. JavaScript and RE2 agree on what is used here. */
function fits(value: string, subject: string): boolean {
  return new RegExp(`^(?:${subjectPattern('CN', value)})$`).test(subject)
}

describe('a subject in the form of RFC 2253', () => {
  test.each([
    ['worker', 'CN=worker'],
    ['worker', 'CN=WORKER,O=Acme'],
    ['worker', 'O=Acme+CN=worker,C=DE'],
    ['worker', String.raw`O=a\\,CN=worker`],
    ['a,b', String.raw`CN=a\,b`],
    [' a ', String.raw`CN=\ a\ `],
    ['#a', String.raw`CN=\#a`],
    ['müller', String.raw`CN=m\C3\9CLLER`],
    ['work*', 'O=x,CN=worker'],
    ['*er', String.raw`CN=a\,b\C3\BCer,O=x`],
    ['*', 'CN='],
    ['*#a', String.raw`CN=\#a`],
    ['* a', String.raw`CN=\ a`],
    ['a *', String.raw`CN=a\ `],
    ['a *', 'CN=a b'],
  ])('%s fits %s', (value, subject) => {
    expect(fits(value, subject)).toBe(true)
  })

  test.each([
    ['worker', 'CN=worker1'],
    ['worker', 'OCN=worker'],
    ['worker', 'O=CN=worker'],
    ['worker', String.raw`O=x\,CN=worker`],
    ['worker', String.raw`O=x\\\,CN=worker`],
    ['worker', String.raw`O=x\+CN=worker`],
    ['worker', String.raw`CN=worker\,O=evil`],
    ['work*', String.raw`O=x\,CN=worker`],
    ['*C', String.raw`CN=a\C3\BC`],
    ['*9C', String.raw`CN=a\C3\9C`],
    ['a.c', 'CN=abc'],
    ['a*c', 'CN=abc'],
    ['*', 'O=x'],
    ['*', 'CN=#030300ABED'],
    ['*ed', 'CN=#030300ABED'],
    ['*#a', 'CN=#0A'],
    ['a *', String.raw`CN=a\\ b`],
    ['a *', 'CN=a'],
  ])('%s does not fit %s', (value, subject) => {
    expect(fits(value, subject)).toBe(false)
  })
})
