export { type Reach, reachOf } from './link.ts'
export { type ConnectivityRuleSpec, maxPrivateRules, maxRules, type PrivateRule, type PublicRule } from './spec.ts'
export { validateAttachment, validateConnectivityRule } from './validate.ts'
