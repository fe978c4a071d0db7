// The library's dependency injection wants the Reflect API before its first line runs, so nothing of ours imports it directly.
import 'reflect-metadata'

export * from '@peculiar/x509'
