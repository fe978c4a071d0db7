export { validateWaitlistEntry, type WaitlistEntrySpec } from './entry.ts'
export { type WaitlistState, waitlistEntryMayBecome } from './state.ts'
