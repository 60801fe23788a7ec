import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@holdfast/testkit';
import { describe, expect, it } from '@jest/globals';
import { openAuthority } from './authority.ts';

const NOW = Date.UTC(2026, 0, 1);
const DAY = 86_400_000;
const read = (file: string): X509Certificate => new X509Certificate(readFileSync(file, 'utf8'));

describe('certificate authority', () => {
  it('is the same at the next start, and its keys are for their owner only', async () => {
    const folder = temporaryFolder('ca');
    const first = await openAuthority(folder, NOW);
    const { keyFile, certFile } = await first.server('hub', ['localhost', '127.0.0.1', 'edge-1']);
    const again = await openAuthority(folder, NOW + DAY);
    expect(again.trustBundlePem).toBe(first.trustBundlePem);
    const serial = read(certFile).serialNumber;
    await again.server('hub', ['localhost', '127.0.0.1', 'edge-1']);
    expect(read(certFile).serialNumber).toBe(serial);
    for (const file of [keyFile, join(folder, 'ca.key.pem')]) {
      expect(statSync(file).mode & 0o777).toBe(0o600);
    }
  });

  it('is made anew at a start after the clock was set, from 1970 to now', async () => {
    const folder = temporaryFolder('ca');
    const first = await openAuthority(folder, 5_000);
    await first.server('hub', ['localhost']);
    const again = await openAuthority(folder, NOW);
    expect(again.trustBundlePem).not.toBe(first.trustBundlePem);
    const { certFile } = await again.server('hub', ['localhost']);
    const ca = new X509Certificate(again.trustBundlePem);
    expect(read(certFile).verify(ca.publicKey)).toBe(true);
    expect(read(certFile).validToDate.getTime()).toBeGreaterThan(NOW);
  });

  it('issues certificates for names and addresses that its own certificate vouches for', async () => {
    const authority = await openAuthority(temporaryFolder('ca'), NOW);
    const { certFile } = await authority.server('hub', ['localhost', '127.0.0.1', 'edge-1']);
    const certificate = read(certFile);
    const ca = new X509Certificate(authority.trustBundlePem);
    expect(certificate.subjectAltName).toBe('DNS:localhost, IP Address:127.0.0.1, DNS:edge-1');
    expect(certificate.checkIssued(ca)).toBe(true);
    expect(certificate.verify(ca.publicKey)).toBe(true);
    expect([certificate.ca, ca.ca]).toEqual([false, true]);
  });

  it.each([
    ['the names change', ['localhost', 'other'], NOW],
    ['little of its life is left', ['localhost'], NOW + 330 * DAY],
  ])('issues a new server certificate when %s', async (_name, names, nowMs) => {
    const folder = temporaryFolder('ca');
    const { certFile } = await (await openAuthority(folder, NOW)).server('hub', ['localhost']);
    const serial = read(certFile).serialNumber;
    await (await openAuthority(folder, nowMs)).server('hub', names);
    expect(read(certFile).serialNumber).not.toBe(serial);
    expect(read(certFile).validToDate.getTime()).toBe(nowMs + 365 * DAY);
  });
});
