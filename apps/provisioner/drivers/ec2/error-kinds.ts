import { DriverError, type DriverErrorKind } from '../contract.ts'

/** What the driver decides by, beyond the contract's kinds. */
export type Ec2Reason =
  /** This type in this zone has no room: another may have. */
  | 'no-room'
  /** The client token was used before, with other parameters. */
  | 'token-used-otherwise'
  /** The client token's machine was there, and has ended. */
  | 'token-has-ended'
  /** The thing is there, and is in a state in which this cannot be done yet, or while something else holds it. */
  | 'wrong-state'

/** A call that failed. */
export class Ec2Error extends DriverError {
  readonly reason: Ec2Reason | undefined
  /** Whether the call has had no effect for sure. False when its answer was lost, or nobody can tell. */
  readonly hadNoEffect: boolean

  constructor(message: string, meaning: Meaning) {
    super(meaning.kind, message)
    this.reason = meaning.reason
    this.hadNoEffect = meaning.hadNoEffect
  }
}

interface Meaning {
  readonly kind: DriverErrorKind
  readonly reason?: Ec2Reason
  readonly hadNoEffect: boolean
}

const noRoom: Meaning = { kind: 'no_capacity', reason: 'no-room', hadNoEffect: true }
const throttled: Meaning = { kind: 'throttled', hadNoEffect: true }
const notFound: Meaning = { kind: 'not_found', hadNoEffect: true }
const denied: Meaning = { kind: 'denied', hadNoEffect: true }
const wrongState: Meaning = { kind: 'not_ready', reason: 'wrong-state', hadNoEffect: true }
/** Asking again may help, and there was nothing to take back. */
const laterMaybe: Meaning = { kind: 'unknown', hadNoEffect: true }
const lost: Meaning = { kind: 'unknown', hadNoEffect: false }

/**
 * By code, never by message. EC2's are those of its API reference, "Error codes for the Amazon EC2 API"; SSM's those of
 * GetParameter. `IdempotentInstanceTerminated` is missing there: EC2 has answered it since January 2025.
 */
const meanings: Readonly<Record<string, Meaning>> = {
  // This type, in this zone, now. EC2 answers the first three with status 500, and has done nothing all the same.
  InsufficientInstanceCapacity: noRoom,
  InsufficientHostCapacity: noRoom,
  InsufficientReservedInstanceCapacity: noRoom,
  InsufficientCapacity: noRoom,
  InsufficientFreeAddressesInSubnet: noRoom,
  Unsupported: noRoom,
  UnsupportedOperation: noRoom,
  // Quotas are counted by family of types, so that another type may have room.
  InstanceLimitExceeded: noRoom,
  VcpuLimitExceeded: noRoom,
  MaxIOPSLimitExceeded: noRoom,
  VolumeLimitExceeded: noRoom,
  AddressLimitExceeded: { kind: 'no_capacity', hadNoEffect: true },

  RequestLimitExceeded: throttled,
  Throttling: throttled,
  ThrottlingException: throttled,
  RequestThrottled: throttled,
  TooManyRequestsException: throttled,
  EC2ThrottledException: throttled,

  IdempotentParameterMismatch: { kind: 'exists', reason: 'token-used-otherwise', hadNoEffect: true },
  IdempotentInstanceTerminated: { kind: 'denied', reason: 'token-has-ended', hadNoEffect: true },

  'InvalidInstanceID.NotFound': notFound,
  'InvalidAllocationID.NotFound': notFound,
  'InvalidAssociationID.NotFound': notFound,
  'InvalidVolume.NotFound': notFound,

  IncorrectInstanceState: wrongState,
  IncorrectState: wrongState,
  // What AssociateAddress says of a pending machine.
  InvalidInstanceID: wrongState,
  'InvalidIPAddress.InUse': wrongState,
  VolumeInUse: wrongState,
  'Resource.AlreadyAssociated': wrongState,
  DependencyViolation: wrongState,

  // The settings or the role are wrong: a person has to act.
  AuthFailure: denied,
  UnauthorizedOperation: denied,
  AccessDenied: denied,
  AccessDeniedException: denied,
  OptInRequired: denied,
  Blocked: denied,
  PendingVerification: denied,
  InvalidClientTokenId: denied,
  SignatureDoesNotMatch: denied,
  UnrecognizedClientException: denied,
  OperationNotPermitted: denied,
  MissingParameter: denied,
  InvalidParameter: denied,
  InvalidParameterCombination: denied,
  InvalidParameterValue: denied,
  ValidationError: denied,
  InvalidUserData: denied,
  'InvalidUserData.Malformed': denied,
  InvalidBlockDeviceMapping: denied,
  InvalidKey: denied,
  'InvalidAMIID.NotFound': denied,
  'InvalidAMIID.Malformed': denied,
  'InvalidAMIID.Unavailable': denied,
  'InvalidSubnetID.NotFound': denied,
  'InvalidSubnet.Conflict': denied,
  'InvalidGroup.NotFound': denied,
  'InvalidSecurityGroupID.NotFound': denied,
  'InvalidIamInstanceProfileArn.Malformed': denied,
  InvalidSnapshot: denied,
  ParameterNotFound: denied,
  ParameterVersionNotFound: denied,

  // Refused before it was looked at.
  ExpiredToken: laterMaybe,
  ExpiredTokenException: laterMaybe,
  RequestExpired: laterMaybe,
  // Never left this machine.
  CredentialsProviderError: laterMaybe,
}

/**
 * What was thrown by the SDK, as the driver understands it. An answer with a code that is not listed has had no effect if
 * it blames the request (400–499); everything else may have had one.
 * @param doing `launching a machine`
 */
export function ec2Error(doing: string, thrown: unknown): Ec2Error {
  if (thrown instanceof Ec2Error) return thrown
  const { code, status, message } = readThrown(thrown)
  const blamesRequest = status !== undefined && status >= 400 && status < 500
  const meaning = meanings[code] ?? (blamesRequest ? laterMaybe : lost)
  // What was thrown is not kept as the cause: it holds the request, with its signature, and the machine's user data.
  return new Ec2Error(`${doing}: ${code}: ${message}`, meaning)
}

function readThrown(thrown: unknown): { readonly code: string; readonly status?: number; readonly message: string } {
  if (typeof thrown !== 'object' || thrown === null) return { code: 'Unknown', message: String(thrown) }
  const { name, Code, message, $metadata } = thrown as Record<string, unknown>
  const code = typeof Code === 'string' ? Code : typeof name === 'string' ? name : 'Unknown'
  const status =
    typeof $metadata === 'object' && $metadata !== null && 'httpStatusCode' in $metadata
      ? $metadata.httpStatusCode
      : undefined
  return {
    code,
    message: typeof message === 'string' ? message : '',
    ...(typeof status === 'number' ? { status } : {}),
  }
}
