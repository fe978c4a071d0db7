export { type Region, regions } from './regions.ts'
export { type Environment, integer, oneOf, readSettings, type Setting, setting, text } from './setting.ts'
