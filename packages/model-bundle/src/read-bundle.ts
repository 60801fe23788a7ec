import { createHash } from 'node:crypto';
import { type FileHandle, open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  BundleManifest,
  check,
  GoldenOutputs,
  type ModelIdentity,
  type Problem,
  showValue,
} from '@holdfast/contracts';
import type { z } from 'zod';
import { BundleError, isBundleError } from './errors.ts';
import { readOpsets } from './opset.ts';

const MANIFEST = 'model.json';
const MODEL = 'model.onnx';
const GOLDEN = 'golden.json';

/** Manifests are kilobytes; a larger file is something else. */
const MANIFEST_BYTES_MAX = 1024 * 1024;
/** A window of 3,600 rows and 256 signals is about 10 MB of JSON. */
const GOLDEN_BYTES_MAX = 64 * 1024 * 1024;

/** A bundle whose files are what its manifest says. Whether the model runs is for the runtime to find out. */
export interface ModelBundle {
  readonly identity: z.infer<typeof ModelIdentity>;
  readonly manifest: BundleManifest;
  readonly golden: GoldenOutputs;
  /** Path of `model.onnx`; given to the runtime as a path, so that weights are not held twice. */
  readonly modelPath: string;
}

/**
 * Reads and checks the bundle in a folder: schema of both JSON files, SHA-256 of every file that the manifest
 * names, operator set of the model, shape of the golden inputs. The digest of the bundle is the SHA-256 of
 * `model.json`, which holds the digests of all other files, so it covers every byte.
 * @throws BundleError
 */
export async function readBundle(folder: string): Promise<ModelBundle> {
  const found = await stat(folder).catch(() => undefined);
  if (!found?.isDirectory()) {
    throw new BundleError('BUNDLE_NO_FOLDER', `${folder} is not a folder that can be read`);
  }
  const bytes = await readSmall(folder, MANIFEST, MANIFEST_BYTES_MAX);
  const manifest = parse(MANIFEST, bytes, BundleManifest);
  refuse('BUNDLE_SCHEMA', MANIFEST, manifestProblems(manifest));
  for (const [name, digest] of Object.entries(manifest.files)) {
    await verifyDigest(folder, name, digest);
  }
  await verifyOpset(folder, manifest);
  const golden = parse(GOLDEN, await readSmall(folder, GOLDEN, GOLDEN_BYTES_MAX), GoldenOutputs);
  refuse('BUNDLE_SCHEMA', GOLDEN, goldenShapeProblems(golden, manifest));
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  return {
    identity: { name: manifest.name, version: manifest.version, digest },
    manifest,
    golden,
    modelPath: join(folder, MODEL),
  };
}

function refuse(code: 'BUNDLE_SCHEMA', file: string, problems: readonly Problem[]): void {
  if (problems.length > 0) throw BundleError.of(code, file, problems);
}

async function openFile(folder: string, name: string): Promise<FileHandle> {
  try {
    return await open(join(folder, name), 'r');
  } catch (cause) {
    const why =
      (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'is missing' : 'cannot be read';
    throw new BundleError('BUNDLE_FILE_MISSING', `${name} ${why} in ${folder}`, {
      file: name,
      cause,
    });
  }
}

async function readSmall(folder: string, name: string, bytesMax: number): Promise<Buffer> {
  const file = await openFile(folder, name);
  try {
    const { size } = await file.stat();
    if (size > bytesMax) {
      const message = `${name}: has ${size} bytes, must have at most ${bytesMax}`;
      throw new BundleError('BUNDLE_NOT_JSON', message, { file: name });
    }
    return await readFile(file);
  } catch (cause) {
    if (isBundleError(cause)) throw cause;
    throw new BundleError('BUNDLE_FILE_MISSING', `${name} cannot be read`, { file: name, cause });
  } finally {
    await file.close();
  }
}

function parse<S extends z.ZodType>(file: string, bytes: Buffer, schema: S): z.output<S> {
  let document: unknown;
  try {
    document = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    const message = `${file} is not JSON: ${(cause as Error).message}`;
    throw new BundleError('BUNDLE_NOT_JSON', message, { file, cause });
  }
  const checked = check(schema, document);
  if (!checked.ok) throw BundleError.of('BUNDLE_SCHEMA', file, checked.problems);
  return checked.value;
}

/** What the schema alone does not say: names of files and signals, and ranges that hold something. */
function manifestProblems(manifest: BundleManifest): Problem[] {
  const problems: Problem[] = [];
  for (const name of Object.keys(manifest.files)) {
    if (/^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(name) && name !== MANIFEST) continue;
    const allowed = `must name a file of this folder other than ${MANIFEST}`;
    problems.push({ path: 'files', value: showValue(name), allowed });
  }
  for (const name of [MODEL, GOLDEN]) {
    if (manifest.files[name] === undefined) {
      problems.push({ path: `files["${name}"]`, allowed: 'is missing, must be a SHA-256 digest' });
    }
  }
  const seen = new Set<string>();
  for (const [index, { name, min, max }] of manifest.inputs.signals.entries()) {
    const path = `inputs.signals[${index}]`;
    if (seen.has(name)) {
      problems.push({ path: `${path}.name`, value: showValue(name), allowed: 'must be unique' });
    }
    seen.add(name);
    if (min !== undefined && max !== undefined && min >= max) {
      problems.push({ path: `${path}.min`, value: showValue(min), allowed: 'must be below max' });
    }
  }
  return problems;
}

async function verifyDigest(folder: string, name: string, expected: string): Promise<void> {
  const file = await openFile(folder, name);
  const hash = createHash('sha256');
  try {
    for await (const piece of file.createReadStream({ autoClose: false })) hash.update(piece);
  } catch (cause) {
    throw new BundleError('BUNDLE_FILE_MISSING', `${name} cannot be read`, { file: name, cause });
  } finally {
    await file.close();
  }
  const digest = `sha256:${hash.digest('hex')}`;
  if (digest === expected) return;
  const path = `files["${name}"]`;
  const problem = { path, value: digest, allowed: `must be ${expected}, as ${MANIFEST} says` };
  throw BundleError.of('BUNDLE_DIGEST', name, [problem]);
}

/** Newest standard operator set that the ONNX Runtime of this release knows fully. */
const OPSET_MAX = 26;

async function verifyOpset(folder: string, manifest: BundleManifest): Promise<void> {
  const file = await openFile(folder, MODEL);
  try {
    const opset = (await readOpsets(file)).get('');
    if (opset !== undefined && opset > OPSET_MAX) {
      const problem = {
        path: 'opset',
        value: String(opset),
        allowed: `must be at most ${OPSET_MAX}`,
      };
      throw BundleError.of('BUNDLE_OPSET', MODEL, [problem]);
    }
    if (opset !== undefined && opset !== manifest.opset) {
      const allowed = `must be ${opset}, as ${MODEL} says`;
      const problem = { path: 'opset', value: String(manifest.opset), allowed };
      throw BundleError.of('BUNDLE_OPSET', MANIFEST, [problem]);
    }
  } catch (cause) {
    if (isBundleError(cause)) throw cause;
    const message = `${MODEL}: ${(cause as Error).message}`;
    throw new BundleError('BUNDLE_LOAD', message, { file: MODEL, cause });
  } finally {
    await file.close();
  }
}

function goldenShapeProblems(golden: GoldenOutputs, manifest: BundleManifest): Problem[] {
  const { rows, signals } = manifest.inputs;
  const problems: Problem[] = [];
  for (const [index, expected] of golden.cases.entries()) {
    const path = `cases[${index}]`;
    const widths = new Set(expected.input.map((row) => row.length));
    if (expected.input.length !== rows || widths.size !== 1 || !widths.has(signals.length)) {
      const value = `${expected.input.length} rows of ${[...widths].join(' and ')} values`;
      const allowed = `must be ${rows} rows of ${signals.length} values`;
      problems.push({ path: `${path}.input`, value, allowed });
    }
    const shares = expected.contributions;
    if (shares === undefined) continue;
    if (manifest.outputs.contributions === undefined) {
      const allowed = `must be left out, ${MANIFEST} names no output for them`;
      problems.push({ path: `${path}.contributions`, allowed });
    } else if (shares.length !== signals.length) {
      const allowed = `must have ${signals.length} items`;
      problems.push({ path: `${path}.contributions`, value: showValue(shares), allowed });
    }
  }
  return problems;
}
