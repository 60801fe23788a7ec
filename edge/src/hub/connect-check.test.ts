import { describe, expect, it } from '@jest/globals';
import { checkConnect } from './connect-check.ts';
import { createSas } from './sas.ts';

const key = Buffer.alloc(32, 7).toString('base64');
const rules = {
  deviceId: 'd',
  iotHubHostName: 'hub.example.net',
  identities: { m: key, leaf: key },
  nowSecs: 1_000,
};
const resource = 'hub.example.net/devices/d/modules/m';
const connect = (change: object = {}) => ({
  clientId: 'd/m',
  userName: 'hub.example.net/d/m/?api-version=2021-04-12&DeviceClientType=x%2F1',
  password: createSas(resource, key, 1_001),
  ...change,
});

describe('connect', () => {
  it('accepts a module, and a leaf device', () => {
    expect(checkConnect(connect(), rules)).toEqual({ ok: true, expirySecs: 1_001 });
    const leaf = {
      clientId: 'leaf',
      userName: 'hub.example.net/leaf/?api-version=2021-04-12',
      password: createSas('hub.example.net/devices/leaf', key, 2_000),
    };
    expect(checkConnect(leaf, rules)).toEqual({ ok: true, expirySecs: 2_000 });
  });

  it.each([
    ['a token that expires this second', { password: createSas(resource, key, 1_000) }],
    ['a token of another resource', { password: createSas(`${resource}x`, key, 2_000) }],
    [
      'a token with another expiry than signed',
      { password: connect().password.replace('1001', '9999') },
    ],
    ['another key', { password: createSas(resource, Buffer.alloc(32).toString('base64'), 2_000) }],
    ['another hub', { userName: 'other.net/d/m/?api-version=1' }],
    ['no api-version', { userName: 'hub.example.net/d/m/' }],
    ['another client id', { clientId: 'd/M' }],
    [
      'a module of another device',
      { clientId: 'e/m', userName: 'hub.example.net/e/m/?api-version=1' },
    ],
    ['an unknown module', { clientId: 'd/x', userName: 'hub.example.net/d/x/?api-version=1' }],
    [
      'an inherited name',
      { clientId: 'd/constructor', userName: 'hub.example.net/d/constructor/?api-version=1' },
    ],
    ['no password', { password: undefined }],
  ])('refuses %s', (_name, change) => {
    expect(checkConnect(connect(change), rules)).toMatchObject({ ok: false });
  });
});
