export { type Region, regions } from './regions.ts'
export {
  type Environment,
  integer,
  list,
  logLevel,
  port,
  readSettings,
  type Setting,
  setting,
  text,
} from './setting.ts'
export { defaultTemporalVersion, type TemporalRelease, temporalReleases } from './temporal-releases.ts'
