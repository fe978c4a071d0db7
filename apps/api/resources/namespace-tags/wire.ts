import type { HandlersOf } from '../operations/wire.ts'

export type NamespaceTagHandlers = HandlersOf<'UpdateNamespaceTags'>
