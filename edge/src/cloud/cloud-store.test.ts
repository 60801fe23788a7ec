import { temporaryFolder } from '@holdfast/testkit';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { UpstreamMessage } from '../hub/cloud-protocol.ts';
import { CloudStore } from './cloud-store.ts';

let folder: string;
let store: CloudStore;
const open = (): CloudStore => new CloudStore(folder, { messagesMax: 3, bytesMax: 100 });

beforeEach(() => {
  folder = temporaryFolder('cloud');
  store = open();
});
afterEach(() => store.close());

const aMessage = (id: string, body = id): UpstreamMessage => ({
  id,
  properties: { system: { connectionDeviceId: 'd', connectionModuleId: 'm' }, application: {} },
  body: Buffer.from(body).toString('base64'),
  enqueuedMs: 1,
});
const ids = (): string[] => store.messages(0, 10).map((message) => message.id);

describe('cloud store', () => {
  it('takes each message once, also after a restart, and counts the others', () => {
    expect(store.receive([aMessage('a'), aMessage('b'), aMessage('a')], 1)).toEqual({
      accepted: 2,
      duplicates: 1,
    });
    store.close();
    store = open();
    expect(store.receive([aMessage('b'), aMessage('c')], 2)).toEqual({
      accepted: 1,
      duplicates: 1,
    });
    expect(ids()).toEqual(['a', 'b', 'c']);
    expect(store.counts()).toMatchObject({ received: 3, duplicates: 2, evicted: 0, stored: 3 });
  });

  it('lets the oldest go beyond its limits, by number and by bytes, and counts them', () => {
    store.receive([aMessage('a'), aMessage('b'), aMessage('c'), aMessage('d')], 1);
    expect(ids()).toEqual(['b', 'c', 'd']);
    store.receive([aMessage('e', 'x'.repeat(99))], 1);
    expect(ids()).toEqual(['d', 'e']);
    expect(store.counts()).toEqual({
      received: 5,
      duplicates: 0,
      evicted: 3,
      stored: 2,
      storedBytes: 100,
    });
  });

  it('gives every change of a twin a version', () => {
    const twin = store.ensureTwin('d/m');
    expect(store.saveTwin('d/m', { ...twin, desired: { a: 1 } }).version).toBe(twin.version + 1);
    store.close();
    store = open();
    expect(store.twin('d/m')?.desired).toEqual({ a: 1 });
    expect(store.clients()).toEqual(['d/m']);
  });
});
