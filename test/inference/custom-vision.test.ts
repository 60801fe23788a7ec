/**
 * Goal: an ONNX export of Custom Vision in each known form runs unchanged, from its folder to labels and boxes on an image.
 * Method: toy exports with the names, shapes and metadata of real ones, packed and scored by the command line with the
 * real runtime, against what onnxruntime, PIL and numpy make of the same image (make_custom_vision.py).
 */
import { execFile } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { convertCustomVision } from '@holdfast/model-bundle';
import { ChildProcess, freePort, temporaryFolder, until } from '@holdfast/testkit';
import { afterEach, describe, expect, it } from '@jest/globals';
import { overlap } from '../../modules/inference/src/images/domain/suppress.ts';
import type { ImageScores } from '../../modules/inference/src/images/score-image.ts';

const FIXTURES = join(process.cwd(), 'test/inference/fixtures');
const EXPORTS = join(FIXTURES, 'custom-vision');
const SCENE = join(FIXTURES, 'images/scene.png');

/** Runs `npm run model -- ...` as a process: the runtime does not know the arrays of a test's own world. */
async function model(...argv: string[]): Promise<string> {
  const command = [join(process.cwd(), 'scripts/model.ts'), ...argv];
  const { stdout } = await promisify(execFile)(process.execPath, command);
  return stdout;
}

interface Expected {
  classes?: Record<string, number>;
  detections?: {
    label: string;
    confidence: number;
    corners: [number, number, number, number];
  }[];
}

async function packed(kind: string): Promise<string> {
  const out = join(temporaryFolder(kind), 'bundle');
  await model('pack', join(EXPORTS, kind), '--custom-vision', '--out', out, '--name', 'parts');
  return out;
}

async function scored(kind: string): Promise<{ scores: ImageScores; expected: Expected }> {
  const out = await packed(kind);
  const scores = JSON.parse(await model('score', '--bundle', out, '--image', SCENE));
  const expected = JSON.parse(readFileSync(join(EXPORTS, kind, 'expected.json'), 'utf8'));
  return { scores, expected };
}

describe('a Custom Vision export', () => {
  it.each(['classification', 'classification-map', 'classification-half'])(
    'with classes, %s, gives the probability of each label',
    async (kind) => {
      const { scores, expected } = await scored(kind);
      const found = Object.fromEntries(
        scores.classes!.map(({ label, probability }) => [label, probability]),
      );
      for (const [label, probability] of Object.entries(expected.classes!)) {
        expect(Math.abs(found[label]! - probability)).toBeLessThan(0.02);
      }
      expect(scores.score).toBe(scores.classes![0]!.probability);
      expect(scores.model.version).toBe('2026.01.01.000000+00000000');
    },
  );

  it.each(['detection', 'detection-s1'])('with boxes, %s, gives each part', async (kind) => {
    const { scores, expected } = await scored(kind);
    expect(scores).toMatchObject({ image: { width: 120, height: 80 } });
    const found = scores.detections!.map(({ label, confidence, box }) => ({
      ...{ label, confidence },
      corners: [box.left, box.top, box.left + box.width, box.top + box.height] as const,
    }));
    // The image is made smaller by another program, so a box at the edge of being sure may be on either side.
    const sure = (boxes: typeof found) => boxes.filter(({ confidence }) => confidence > 0.62);
    const same = (one: (typeof found)[0], two: (typeof found)[0]) =>
      one.label === two.label &&
      Math.abs(one.confidence - two.confidence) < 0.02 &&
      overlap(one.corners, two.corners) > 0.9;
    const expectedBoxes = expected.detections as unknown as typeof found;
    expect(sure(found).length).toBeGreaterThan(2);
    for (const [boxes, others] of [
      [found, expectedBoxes],
      [expectedBoxes, found],
    ] as const) {
      for (const one of sure(boxes)) {
        expect(others.filter((two) => same(one, two)).map(({ label }) => label)).toContain(
          one.label,
        );
      }
    }
  });

  const broken = async (change: (folder: string) => void): Promise<unknown> => {
    const folder = temporaryFolder('export');
    cpSync(join(EXPORTS, 'detection'), folder, { recursive: true });
    change(folder);
    return convertCustomVision(folder, temporaryFolder('out'), { name: 'parts' }).catch(
      (error: unknown) => error,
    );
  };
  const edit = (folder: string, change: object): void => {
    const file = join(folder, 'cvexport.manifest');
    const fields = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(file, JSON.stringify({ ...fields, ...change }));
  };
  it.each<[string, (folder: string) => void, string, string]>([
    [
      'whose model is another one',
      (folder) => writeFileSync(join(folder, 'model.onnx'), 'other'),
      'BUNDLE_DIGEST',
      'as cvexport.manifest says',
    ],
    [
      'for another runtime',
      (folder) => edit(folder, { Platform: 'TensorFlow' }),
      'BUNDLE_SCHEMA',
      'Platform: "TensorFlow" is not allowed, must be "ONNX"',
    ],
    [
      'that names files outside of its folder',
      (folder) => edit(folder, { LabelFileName: '../labels.txt' }),
      'BUNDLE_SCHEMA',
      'must be a file of the folder',
    ],
    [
      'with more labels than classes',
      (folder) => writeFileSync(join(folder, 'labels.txt'), 'a\nb\nc\nd\n'),
      'BUNDLE_TENSORS',
      'for 5 anchors and 4 labels',
    ],
    [
      'without its manifest',
      (folder) => writeFileSync(join(folder, 'cvexport.manifest'), '{'),
      'BUNDLE_NOT_JSON',
      'cvexport.manifest is not JSON',
    ],
  ])('%s is refused', async (_, change, code, message) => {
    expect(await broken(change)).toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  });
});

describe('a module with a Custom Vision export', () => {
  afterEach(() => ChildProcess.killAll());

  it('finds in a picture that is posted to it what the command line finds, and refuses what is none', async () => {
    const bundle = await packed('detection-s1');
    const port = await freePort();
    const child = ChildProcess.start(join(process.cwd(), 'modules/inference/src/main.ts'), {
      env: {
        HOLDFAST_TRANSPORT: 'none',
        HOLDFAST_MODEL_DIR: bundle,
        HOLDFAST_DATA_DIR: temporaryFolder('data'),
        HOLDFAST_HTTP_PORT: String(port),
      },
    });
    await until(() => child.output.includes('Module started'));
    const post = (body: Uint8Array<ArrayBuffer>) =>
      fetch(`http://127.0.0.1:${port}/score`, {
        method: 'POST',
        headers: { 'content-type': 'image/png' },
        body,
      });
    const answer = await post(readFileSync(SCENE));
    expect(answer.status).toBe(200);
    const { file: _, ...expected } = JSON.parse(
      await model('score', '--bundle', bundle, '--image', SCENE),
    );
    expect(await answer.json()).toEqual(expected);
    const refused = await post(Buffer.from('no picture'));
    expect(refused.status).toBe(415);
    expect(await refused.json()).toEqual({ error: 'body: the image is neither JPEG nor PNG' });
  });
});
