import { describe, expect, it } from '@jest/globals';
import { fromSdkError, within } from './sdk-errors.ts';

const named = (name: string): Error => Object.assign(new Error('why'), { name });

describe('errors of the SDK', () => {
  it.each([
    ['NotConnectedError', 'TRANSPORT_NOT_CONNECTED', 'later'],
    ['TimeoutError', 'TRANSPORT_TIMEOUT', 'now'],
    ['MessageTooLargeError', 'TRANSPORT_TOO_LARGE', 'never'],
    ['UnauthorizedError', 'TRANSPORT_REFUSED', 'later'],
    ['FormatError', 'TRANSPORT_REFUSED', 'never'],
    ['Error', 'TRANSPORT_NOT_CONNECTED', 'later'],
  ])('shows %s as %s, to be repeated %s', (name, code, retry) => {
    expect(fromSdkError(named(name))).toMatchObject({ code, retry, message: 'why' });
  });

  it('leaves errors of the port as they are', () => {
    const error = fromSdkError(named('TimeoutError'));
    expect(fromSdkError(error)).toBe(error);
  });
});

describe('a time limit', () => {
  it('passes on what comes in time, and fails what does not', async () => {
    await expect(within(Promise.resolve(1), 1_000, 'x')).resolves.toBe(1);
    await expect(within(new Promise(() => {}), 1, 'waiting')).rejects.toMatchObject({
      code: 'TRANSPORT_TIMEOUT',
      message: 'waiting took longer than 1 ms',
    });
  });
});
