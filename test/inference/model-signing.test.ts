/**
 * Goal: what we sign, others can verify, and the other way round. Method: the reference implementation of OpenSSF Model
 * Signing from PyPI (referees/requirements.txt), as a program of its own, on the same folders and keys.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  makeKeyPair,
  readPrivateKey,
  readPublicKeys,
  signBundle,
  trustIn,
  verifyBundle,
} from '@holdfast/model-bundle';
import { temporaryFolder } from '@holdfast/testkit';
import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { referees } from './referees/venv.ts';

const { python, missing } = referees();
const title = missing === undefined ? 'the reference' : `the reference (skipped: ${missing})`;

const ours = makeKeyPair();
const theirs = makeKeyPair();
let keys: string;
let folder: string;
beforeAll(() => {
  keys = temporaryFolder('keys');
  for (const [name, pair] of Object.entries({ ours, theirs })) {
    writeFileSync(join(keys, `${name}.pem`), pair.privatePem);
    writeFileSync(join(keys, `${name}.pub.pem`), pair.publicPem);
  }
});
beforeEach(() => {
  folder = join(temporaryFolder('signed'), 'pump-loop');
  cpSync(join(process.cwd(), 'scenarios/pump-loop/bundle'), folder, { recursive: true });
});

/** `model_signing <action> key <folder>`: its exit code and all that it printed. */
function reference(action: 'sign' | 'verify', ...args: string[]): { status: number; text: string } {
  const all = ['-m', 'model_signing', action, 'key', folder];
  const signature = ['--signature', join(folder, 'model.sig')];
  const { status, stdout, stderr } = spawnSync(python ?? '', [...all, ...signature, ...args], {
    encoding: 'utf8',
  });
  return { status: status ?? -1, text: stdout + stderr };
}
const verified = (name: string) =>
  reference('verify', '--public_key', join(keys, `${name}.pub.pem`));

(missing === undefined ? describe : describe.skip)(title, () => {
  it('verifies what we signed', async () => {
    await signBundle(folder, readPrivateKey(ours.privatePem));
    expect(verified('ours')).toMatchObject({ status: 0 });
  });

  it('refuses what we signed with another key, or what was changed afterwards, as we do', async () => {
    await signBundle(folder, readPrivateKey(ours.privatePem));
    expect(verified('theirs').text).toContain('Key mismatch');
    writeFileSync(join(folder, 'extra'), 'extra');
    expect(verified('ours').text).toContain('Extra files found');
    rmSync(join(folder, 'extra'));
    rmSync(join(folder, 'README.md'));
    expect(verified('ours').text).toContain('Missing files');
  });

  it('signs what we verify', async () => {
    const signed = reference('sign', '--private_key', join(keys, 'theirs.pem'));
    expect(signed).toMatchObject({ status: 0 });
    const policy = trustIn(readPublicKeys(theirs.publicPem));
    expect((await verifyBundle(folder, policy)).signedBy).toBe(theirs.id);
    const others = trustIn(readPublicKeys(ours.publicPem));
    await expect(verifyBundle(folder, others)).rejects.toMatchObject({ code: 'BUNDLE_KEY' });
    writeFileSync(join(folder, 'extra'), 'extra');
    await expect(verifyBundle(folder, policy)).rejects.toMatchObject({ code: 'BUNDLE_ALTERED' });
  });
});
