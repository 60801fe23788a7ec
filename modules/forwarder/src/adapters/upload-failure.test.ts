import { describe, expect, it } from '@jest/globals';
import { failureOf, withoutSecrets } from './upload-failure.ts';

/** What the SDK throws, as far as it is looked at. */
function restError(
  statusCode?: number,
  code?: string,
  headers: Record<string, string> = {},
  errorCode?: string,
): Error {
  const all = new Map(Object.entries(headers));
  if (code !== undefined) all.set('x-ms-error-code', code);
  return Object.assign(new Error('something\nRequestId:1'), {
    statusCode,
    code: errorCode,
    response: { headers: { get: (name: string) => all.get(name) } },
  });
}

describe('upload failure', () => {
  it.each([
    [undefined, 'REQUEST_SEND_ERROR', 'transport'],
    [500, 'InternalError', 'transport'],
    [503, 'ServerBusy', 'throttled'],
    [429, undefined, 'throttled'],
    [403, 'AuthenticationFailed', 'auth'],
    [401, undefined, 'auth'],
    [404, 'ContainerNotFound', 'target'],
    [400, 'InvalidHeaderValue', 'target'],
    [400, undefined, 'target'],
    [302, undefined, 'target'],
    [409, 'ContainerBeingDeleted', 'transport'],
    [413, 'RequestBodyTooLarge', 'blob'],
    [409, 'BlobImmutableDueToPolicy', 'blob'],
  ])('of status %s with code %s is of class %s', (status, code, failure) => {
    expect(failureOf(restError(status, code)).failure).toBe(failure);
  });

  it('waits as long as the store asks', () => {
    const failure = failureOf(restError(503, 'ServerBusy', { 'retry-after': '7' }));
    expect(failure.retryAfterMs).toBe(7000);
  });

  it('takes a date in Retry-After by the clock of the store, whatever the clock here says', () => {
    for (const offMs of [-7 * 3_600_000, 0, 7 * 3_600_000]) {
      const storeMs = Date.now() + offMs;
      const date = new Date(storeMs).toUTCString();
      const again = new Date(storeMs + 8_000).toUTCString();
      const failure = failureOf(restError(503, 'ServerBusy', { date, 'retry-after': again }));
      expect(failure.retryAfterMs).toBe(8000);
    }
  });

  it('is the clock when it is off, not the credentials, and says how far', () => {
    const date = new Date(Date.now() + 3_600_000).toUTCString();
    const failure = failureOf(restError(403, 'AuthenticationFailed', { date }));
    expect(failure.failure).toBe('clock');
    expect(failure.message).toMatch(/the clock here says \d{4}-.* and is 3[56]\d\d s behind/);
    const right = new Date().toUTCString();
    expect(failureOf(restError(403, 'AuthenticationFailed', { date: right })).failure).toBe('auth');
  });

  it('is the clock when the time of a certificate has not come yet', () => {
    const failure = failureOf(restError(undefined, undefined, {}, 'CERT_NOT_YET_VALID'));
    expect(failure).toMatchObject({ failure: 'clock', message: expect.stringContaining('clock') });
  });

  it('tells no secret', () => {
    const text =
      'GET https://a.blob/c?sv=1&sig=abc%3D failed; AccountKey=xyz==; sig=q\nString to sign: s';
    const told = withoutSecrets(text);
    expect(told).not.toMatch(/abc|xyz|=q|String to sign/);
    expect(told).toContain('https://a.blob/c');
  });
});
