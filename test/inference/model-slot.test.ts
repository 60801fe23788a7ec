/**
 * Goal: the module mends itself: a bundle mounted later is taken, a model that is lost is loaded again, and one in use
 * is never given up for one that does not load. Method: the slot with the real runtime and a short retry time.
 */
import { appendFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { temporaryFolder, until } from '@holdfast/testkit';
import { afterEach, describe, expect, it } from '@jest/globals';
import { ModelSlot } from '../../modules/inference/src/model-slot.ts';
import { writeBundle } from '../../modules/inference/src/testing/write-bundle.ts';

const WORKER = pathToFileURL(join(process.cwd(), 'modules/inference/src/adapters/onnx-worker.ts'));
let slot: ModelSlot;
let changes = 0;
let errors: string[] = [];
afterEach(() => slot.close());

function aSlot(folder: string): ModelSlot {
  changes = 0;
  errors = [];
  slot = new ModelSlot({
    folder,
    workerUrl: WORKER,
    log: { error: (event) => errors.push(event), warn() {}, info() {}, debug() {} },
    retryMs: 30,
    onChange: () => {
      changes += 1;
    },
    onRestart: () => {},
  });
  return slot;
}
const write = (folder: string): string =>
  writeBundle(folder, {
    model: 'sum',
    signals: ['a', 'b'],
    golden: [{ name: 'three and four', input: [[3, 4]], score: 7 }],
  });

describe('the slot of the model', () => {
  it('takes a bundle that is mounted after the start', async () => {
    const folder = temporaryFolder('bundle');
    await aSlot(folder).load(1);
    expect(slot.problem).toContain('BUNDLE_FILE_MISSING: model.json is missing');
    write(folder);
    await until(() => slot.model !== undefined);
    expect(slot.problem).toBeUndefined();
    expect(changes).toBeGreaterThanOrEqual(2);
  });

  it('says the same problem once, however often it looks', async () => {
    await aSlot(temporaryFolder('bundle')).load(1);
    await until(() => changes > 3);
    expect(errors).toHaveLength(1);
  });

  it('loads a model again that was lost', async () => {
    await aSlot(write(temporaryFolder('bundle'))).load(1);
    const first = slot.model!;
    slot.lost(first, 'its worker keeps ending');
    expect(slot.model).toBeUndefined();
    expect(slot.problem).toBe('its worker keeps ending');
    await until(() => slot.model !== undefined);
    expect(slot.model).not.toBe(first);
  });

  it('keeps the model in use when it cannot be loaded anew', async () => {
    const folder = write(temporaryFolder('bundle'));
    await aSlot(folder).load(1);
    const first = slot.model;
    appendFileSync(join(folder, 'model.onnx'), ' ');
    await slot.load(2);
    expect(slot.model).toBe(first);
    expect(slot.problem).toBeUndefined();
    expect(errors).toEqual(['The model could not be loaded anew, the one in use stays']);
  });

  it('does not load anything after it was closed', async () => {
    const folder = temporaryFolder('bundle');
    await aSlot(folder).load(1);
    await slot.close();
    write(folder);
    await slot.load(1);
    expect(slot.model).toBeUndefined();
    rmSync(folder, { recursive: true });
  });
});
