export { cellHost, namespaceHost, nameTtlSeconds } from './hosts.ts'
