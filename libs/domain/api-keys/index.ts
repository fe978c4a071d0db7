export {
  type ApiKeySpec,
  type ApiKeyState,
  apiKeyLimit,
  apiKeyState,
  latestExpiry,
  validateApiKeySpec,
  validateApiKeyUpdate,
} from './spec.ts'
