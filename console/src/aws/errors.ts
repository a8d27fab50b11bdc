/** An error of an AWS call as it is shown: code and text as the API gave them. */
export interface Fault {
  code: string;
  message: string;
  /** The action that is not allowed, where that is what went wrong. */
  missing?: string;
}

const denied = /is not authorized to perform: ([a-z0-9-]+:[A-Za-z0-9]+)/;

/** Reads any error. */
export function faultOf(error: unknown): Fault {
  if (!(error instanceof Error)) return { code: 'Error', message: String(error) };
  const missing = denied.exec(error.message)?.[1];
  if (error.name === 'TypeError') return { code: 'No answer', message: 'Slipway cannot be reached. The console tries again.' };
  return { code: error.name, message: error.message, ...(missing ? { missing } : {}) };
}

const ended = new Set(['ExpiredToken', 'ExpiredTokenException', 'InvalidClientTokenId', 'UnrecognizedClientException']);

/** Whether an error says that the credentials are no longer taken. */
export function isSessionOver(error: unknown): boolean {
  return error instanceof Error && ended.has(error.name);
}

/** Whether the same call could succeed in a moment. */
export function isWorthRetrying(error: unknown): boolean {
  const status = (error as { $metadata?: { httpStatusCode?: number } } | undefined)?.$metadata?.httpStatusCode;
  return status === undefined || status >= 500 || status === 429;
}
