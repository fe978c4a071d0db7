import { expect, it } from 'vitest'
import { newTenantId } from '#libs/base'
import { cellHost, namespaceHost } from '#libs/domain/names'

it('has names for namespaces and cells below one domain', () => {
  expect(namespaceHost('payments.a1b2c', 'example.com')).toBe('payments.a1b2c.example.com')
  expect(cellHost('cell-1', 'example.com')).toBe('cell-1.cells.example.com')
})

it('never gives a namespace the name of a cell, since no tenant is called cells', () => {
  for (let count = 0; count < 1_000; count += 1) expect(newTenantId()).not.toContain('l')
})
