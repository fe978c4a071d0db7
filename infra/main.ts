import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Validations } from 'aws-cdk-lib'
import { AwsSolutionsChecks } from 'cdk-nag'
import { buildInfra } from './app.ts'
import { readInstallation } from './installation.ts'

/** `node infra/main.ts [file]`: writes every stack's template to `infra/cdk.out`. Without a file of your own, of the example. */
const own = process.argv[2] ?? join(import.meta.dirname, 'installation.json')
const file = existsSync(own) ? own : join(import.meta.dirname, 'installation.example.json')
if (file !== own) process.stderr.write(`There is no ${own}: this is the example, and not to be deployed.\n`)
const { app } = buildInfra(readInstallation(readFileSync(file, 'utf8')), {
  outdir: join(import.meta.dirname, 'cdk.out'),
})
Validations.of(app).addPlugins(new AwsSolutionsChecks(app))
app.synth()
