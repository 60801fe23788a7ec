import { type Retry, TransportError, type TransportErrorCode } from './errors.ts';

/** Names of the SDK's error classes; compared by name because they are no instances across module copies. */
const BY_NAME: Record<string, { code: TransportErrorCode; retry: Retry }> = {
  NotConnectedError: { code: 'TRANSPORT_NOT_CONNECTED', retry: 'later' },
  ServiceUnavailableError: { code: 'TRANSPORT_NOT_CONNECTED', retry: 'later' },
  InternalServerError: { code: 'TRANSPORT_NOT_CONNECTED', retry: 'later' },
  ThrottlingError: { code: 'TRANSPORT_NOT_CONNECTED', retry: 'later' },
  TimeoutError: { code: 'TRANSPORT_TIMEOUT', retry: 'now' },
  MessageTooLargeError: { code: 'TRANSPORT_TOO_LARGE', retry: 'never' },
  // The SDK also calls a hub that does not answer yet unauthorized, so this may well pass.
  UnauthorizedError: { code: 'TRANSPORT_REFUSED', retry: 'later' },
  FormatError: { code: 'TRANSPORT_REFUSED', retry: 'never' },
  NotImplementedError: { code: 'TRANSPORT_REFUSED', retry: 'never' },
  ArgumentError: { code: 'TRANSPORT_REFUSED', retry: 'never' },
};

/** An error of the SDK as one of this port; what is not known is a lost connection, which is always safe to repeat. */
export function fromSdkError(error: unknown): TransportError {
  const { name, message, code } = error as { name?: string; message?: string; code?: string };
  if (code?.startsWith('TRANSPORT_')) return error as TransportError;
  const known = BY_NAME[name ?? ''] ?? { code: 'TRANSPORT_NOT_CONNECTED', retry: 'later' };
  return new TransportError(known.code as TransportErrorCode, message || String(name ?? error), {
    retry: known.retry as Retry,
    cause: error,
  });
}

export const closedError = (): TransportError =>
  new TransportError('TRANSPORT_CLOSED', 'the transport is closed', { retry: 'never' });

export const notConnectedError = (message = 'there is no connection to the hub'): TransportError =>
  new TransportError('TRANSPORT_NOT_CONNECTED', message, { retry: 'later' });

/** Rejects with TRANSPORT_TIMEOUT when a promise takes longer; what comes later is ignored. */
export function within<T>(promise: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () =>
        reject(
          new TransportError('TRANSPORT_TIMEOUT', `${what} took longer than ${timeoutMs} ms`, {
            retry: 'now',
          }),
        ),
      timeoutMs,
    );
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
