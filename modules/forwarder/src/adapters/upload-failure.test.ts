import { describe, expect, it } from '@jest/globals';
import { failureOf, withoutSecrets } from './upload-failure.ts';

/** What the SDK throws, as far as it is looked at. */
function restError(
  statusCode?: number,
  code?: string,
  headers: Record<string, string> = {},
): Error {
  const all = new Map(Object.entries(headers));
  if (code !== undefined) all.set('x-ms-error-code', code);
  return Object.assign(new Error('something\nRequestId:1'), {
    statusCode,
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

  it('says how far the clock is off when credentials are refused', () => {
    const date = new Date(Date.now() + 3_600_000).toUTCString();
    expect(failureOf(restError(403, 'AuthenticationFailed', { date })).message).toMatch(
      /HOLDFAST_STORAGE_CONNECTION_STRING.*clock here is 3[56]\d\d s behind/,
    );
  });

  it('tells no secret', () => {
    const text =
      'GET https://a.blob/c?sv=1&sig=abc%3D failed; AccountKey=xyz==; sig=q\nString to sign: s';
    const told = withoutSecrets(text);
    expect(told).not.toMatch(/abc|xyz|=q|String to sign/);
    expect(told).toContain('https://a.blob/c');
  });
});
