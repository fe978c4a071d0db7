export { type Reach, reachOf } from './link.ts'
export { type ConnectivityRuleSpec, maxRules, type PrivateRule, type PublicRule } from './spec.ts'
export { validateAttachment, validateConnectivityRule } from './validate.ts'
