import { describe, expect, it } from '@jest/globals';
import { parseStorageAddress } from './storage-address.ts';

describe('storage address', () => {
  it.each([
    [
      'AccountName=acc;AccountKey=a2V5;EndpointSuffix=local.azurestack.external',
      {
        url: 'https://acc.blob.local.azurestack.external',
        key: { account: 'acc', secret: 'a2V5' },
      },
    ],
    [
      'BlobEndpoint=http://127.0.0.1:1/acc/;AccountName=acc;AccountKey=a2V5',
      { url: 'http://127.0.0.1:1/acc', key: { account: 'acc', secret: 'a2V5' } },
    ],
    [
      'BlobEndpoint=https://acc.blob.x;SharedAccessSignature=?sv=1&sig=2',
      { url: 'https://acc.blob.x', sas: 'sv=1&sig=2' },
    ],
    [
      'https://acc.blob.x/data?sv=1&sr=c&sig=2',
      { url: 'https://acc.blob.x', container: 'data', sas: 'sv=1&sr=c&sig=2' },
    ],
    ['https://acc.blob.x/?sv=1&ss=b&sig=2', { url: 'https://acc.blob.x', sas: 'sv=1&ss=b&sig=2' }],
  ])('understands %s', (text, address) => {
    expect(parseStorageAddress(text)).toEqual(address);
  });

  it.each([
    'nonsense',
    'https://acc.blob.x/data',
    'AccountName=a;AccountKey=?secret?',
    'AccountKey=abc',
  ])('refuses %s without repeating it', (text) => {
    expect(() => parseStorageAddress(text)).toThrow(/HOLDFAST_STORAGE_CONNECTION_STRING/);
    expect(() => parseStorageAddress(text)).not.toThrow(/secret|abc/);
  });
});
