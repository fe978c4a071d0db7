export {
  type ApiKeySpec,
  type ApiKeyState,
  apiKeyLimit,
  apiKeyState,
  validateApiKeySpec,
  validateApiKeyUpdate,
} from './spec.ts'
