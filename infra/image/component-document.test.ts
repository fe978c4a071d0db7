import { describe, expect, it } from 'vitest'
import { envoy, temporalServer } from '../../apps/aqueduct/toolchain/tool.ts'
import { componentYaml } from './component-document.ts'
import { envoyComponent, servicesComponent, systemComponent, temporalComponent } from './components.ts'
import { nftables } from './hardening.ts'
import { versions } from './versions.ts'

describe('the images', () => {
  it('hold the programs that the product has been tried with', () => {
    expect(versions.temporal).toBe(temporalServer.version)
    expect(versions.envoy).toBe(envoy.version)
  })

  it('are made of documents that fit into Image Builder', () => {
    const services = servicesComponent({ enabled: ['a.service'], installed: ['a.service'], logs: {}, ports: [1] })
    for (const component of [systemComponent(), temporalComponent(['temporal-server']), envoyComponent(), services]) {
      expect(componentYaml(component).length, component.name).toBeLessThan(16_000)
    }
  })

  it('stop building at the first error', () => {
    const yaml = componentYaml({
      name: 'x',
      description: 'says "y"',
      build: [
        { name: 'one', script: 'echo a\n\necho b' },
        { name: 'two', source: 's3://bucket/key', destination: '/tmp/z' },
      ],
    })
    expect(yaml).toBe(`name: x
description: "says \\"y\\""
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: one
        action: ExecuteBash
        inputs:
          commands:
            - |
              set -euo pipefail
              echo a

              echo b
      - name: two
        action: S3Download
        inputs:
          - source: s3://bucket/key
            destination: /tmp/z
`)
  })

  it('let in nothing but the ports that are named', () => {
    const rules = nftables([7443, '7343-7349'])
    expect(rules).toContain('type filter hook input priority filter; policy drop;')
    expect(rules).toContain('tcp dport { 7443, 7343-7349 } accept')
    expect(rules.match(/accept$/gm)?.length).toBe(5)
  })
})
