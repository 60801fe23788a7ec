/**
 * Goal: what we push, ORAS pulls, and what ORAS pushes, we pull. Method: the ORAS client for Python, which nobody here
 * wrote, and Debian's docker-registry.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { pushBundle } from '@holdfast/model-bundle';
import { temporaryFolder } from '@holdfast/testkit';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { referees } from '../referees/venv.ts';
import { aBundle, expectBundle, FAST, fetchFast } from './bundle-files.ts';
import { missingRegistry, type Registry, startRegistry } from './registry.ts';

const { python, missing: missingClient } = referees();
const missing = missingRegistry() ?? missingClient;
if (missing !== undefined) console.warn(`ORAS is not tried: ${missing}`);

/** Runs the client to its end. */
function oras(verb: 'push' | 'pull', host: string, name: string, folder: string): void {
  const args = ['test/inference/sources/move-with-oras.py', verb, host, name, folder];
  const { status, stderr } = spawnSync(String(python), args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`oras ${verb} failed: ${stderr}`);
}

(missing === undefined ? describe : describe.skip)('ORAS', () => {
  let registry: Registry;
  beforeAll(async () => {
    registry = await startRegistry();
  });
  afterAll(() => registry.stop());

  it('pulls the folder that was pushed', async () => {
    const bundle = aBundle({ signature: 'signed' });
    const ref = `oci+http://${registry.host}/plant/pump:1`;
    await pushBundle(bundle.folder, ref, { limits: FAST });
    const folder = temporaryFolder('oras');
    oras('pull', registry.host, 'plant/pump:1', folder);
    expectBundle(folder, bundle);
    expect(readdirSync(folder)).toContain('model.sig');
  });

  it('pushes a folder that is pulled as a bundle', async () => {
    const bundle = aBundle({ seed: 3, signature: 'signed' });
    oras('push', registry.host, 'plant/other:1', bundle.folder);
    const into = temporaryFolder('store');
    const ref = `oci+http://${registry.host}/plant/other:1`;
    const { folder } = await fetchFast(ref, bundle.digest, { into });
    expectBundle(folder, bundle);
  });
});
