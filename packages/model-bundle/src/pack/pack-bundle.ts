import { cp, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BundleManifest, check, type GoldenOutputs, type Problem } from '@holdfast/contracts';
import { BundleFolder, GOLDEN, MANIFEST, MODEL } from '../bundle-folder.ts';
import { BundleError } from '../errors.ts';
import { FILE_NAME } from '../manifest-problems.ts';
import type { ModelFacts } from '../onnx/model-facts.ts';
import { readModelFacts } from '../onnx/read-model-facts.ts';
import { type ModelBundle, readBundle } from '../read-bundle.ts';
import { SIGNATURE } from '../signing/envelope.ts';
import { tensorProblems } from '../tensors.ts';
import { completeManifest } from './complete-manifest.ts';

/** A description is kilobytes. */
const MANIFEST_BYTES_MAX = 1024 * 1024;
/** A key is at the front of its file. */
const HEAD_BYTES = 4_096;

/** A bundle on its way: what the manifest will say, but for digests. */
export interface Draft {
  readonly manifest: BundleManifest;
  readonly facts: ModelFacts;
  readonly modelPath: string;
}

export interface PackOptions {
  /** A new folder for the bundle. @default the folder itself */
  into?: string | undefined;
  /** Fields of `model.json` that go before those in the file. */
  fields?: Readonly<Record<string, unknown>>;
  /** Makes `golden.json` when there is none. Runs the model, so it is not part of this package. */
  golden?: ((draft: Draft) => Promise<GoldenOutputs>) | undefined;
}

export interface PackedBundle extends ModelBundle {
  /** Whether a signature was taken away because it no longer held. */
  readonly signatureRemoved: boolean;
}

/**
 * Makes a complete bundle of a folder with `model.onnx` and a description, `model.json` with at least name, version,
 * signals with units, period and levels: adds what the ONNX file says, and the digest of every file, then checks it as
 * a site would. The same files give the same bytes. Leaves the folder as it was when it fails.
 * @throws BundleError
 */
export async function packBundle(from: string, options: PackOptions = {}): Promise<PackedBundle> {
  const { into } = options;
  if (into === undefined) return await packInPlace(from, options);
  await BundleFolder.open(from);
  await mkdir(into, { recursive: true });
  if ((await readdir(into)).length > 0) {
    throw new BundleError('BUNDLE_NO_FOLDER', `${into} has files in it, must be new or empty`);
  }
  try {
    await cp(from, into, { recursive: true, verbatimSymlinks: true });
    return await packInPlace(into, options);
  } catch (error) {
    await rm(into, { recursive: true, force: true });
    throw error;
  }
}

async function packInPlace(path: string, options: PackOptions): Promise<PackedBundle> {
  const given = { ...(await readDescription(path)), ...options.fields };
  const facts = await factsOf(path);
  const names = await filesOf(path);
  const makesGolden = !names.includes(GOLDEN) && options.golden !== undefined;
  if (!names.includes(GOLDEN) && !makesGolden && !isOfImages(given)) {
    const message = `${GOLDEN} is missing in ${path}: write down what the model must give for some windows, or let "pack --golden <n>" do it for made-up ones`;
    throw new BundleError('BUNDLE_FILE_MISSING', message, { file: GOLDEN });
  }
  if (makesGolden) {
    const manifest = draftOf(completeManifest(given, facts, unknownDigests([...names, GOLDEN])));
    const golden = await options.golden?.({ manifest, facts, modelPath: join(path, MODEL) });
    await replace(join(path, GOLDEN), textOf(golden));
    names.push(GOLDEN);
  }
  const before = await readFile(join(path, MANIFEST)).catch(() => undefined);
  try {
    const folder = await BundleFolder.open(path);
    const digests: Record<string, string> = {};
    for (const name of names) digests[name] = `sha256:${await folder.digestOf(name)}`;
    const text = textOf(completeManifest(given, facts, digests));
    await replace(join(path, MANIFEST), text);
    const bundle = await readBundle(path);
    const problems = tensorProblems(bundle.manifest, facts);
    if (problems.length > 0) throw BundleError.of('BUNDLE_TENSORS', MANIFEST, problems);
    const changed = before?.toString() !== text;
    return { ...bundle, signatureRemoved: changed && (await removed(join(path, SIGNATURE))) };
  } catch (error) {
    if (makesGolden) await rm(join(path, GOLDEN), { force: true });
    if (before === undefined) await rm(join(path, MANIFEST), { force: true });
    else await replace(join(path, MANIFEST), before);
    throw error;
  }
}

const isOfImages = ({ inputs }: Record<string, unknown>): boolean =>
  (inputs as { kind?: unknown } | undefined)?.kind === 'image';

async function readDescription(path: string): Promise<Record<string, unknown>> {
  const folder = await BundleFolder.open(path);
  if ((await folder.sizeOf(MANIFEST)) === undefined) return {};
  const bytes = await folder.readSmall(MANIFEST, MANIFEST_BYTES_MAX);
  let document: unknown;
  try {
    document = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    const message = `${MANIFEST} is not JSON: ${(cause as Error).message}`;
    throw new BundleError('BUNDLE_NOT_JSON', message, { file: MANIFEST, cause });
  }
  if (typeof document === 'object' && document !== null && !Array.isArray(document)) {
    return document as Record<string, unknown>;
  }
  throw BundleError.of('BUNDLE_SCHEMA', MANIFEST, [{ path: '', allowed: 'must be an object' }]);
}

async function factsOf(path: string): Promise<ModelFacts> {
  const file = await (await BundleFolder.open(path)).openFile(MODEL);
  try {
    return await readModelFacts(file);
  } finally {
    await file.close();
  }
}

/** Files that the manifest will name. Whatever else is in the folder must not travel with the model by accident. */
async function filesOf(path: string): Promise<string[]> {
  const folder = await BundleFolder.open(path);
  const names = (await folder.list()).filter((name) => name !== MANIFEST && name !== SIGNATURE);
  const problems: Problem[] = [];
  for (const name of names) {
    if (!FILE_NAME.test(name)) {
      const allowed = 'must be taken away: a bundle has files with plain names and no folders';
      problems.push({ path: 'files', value: JSON.stringify(name), allowed });
    } else if (await holdsPrivateKey(join(path, name))) {
      const allowed = 'must be taken away: it holds a private key';
      problems.push({ path: 'files', value: JSON.stringify(name), allowed });
    }
  }
  if (problems.length > 0) throw BundleError.of('BUNDLE_SCHEMA', MANIFEST, problems);
  return names;
}

async function holdsPrivateKey(file: string): Promise<boolean> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return buffer.subarray(0, bytesRead).includes('PRIVATE KEY-----');
  } finally {
    await handle.close();
  }
}

/** The manifest before its digests are known, to run the model by. */
function draftOf(document: Record<string, unknown>): BundleManifest {
  const checked = check(BundleManifest, document);
  if (checked.ok) return checked.value;
  throw BundleError.of('BUNDLE_SCHEMA', MANIFEST, checked.problems);
}

const unknownDigests = (names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, `sha256:${'0'.repeat(64)}`]));

const textOf = (document: unknown): string => `${JSON.stringify(document, null, 2)}\n`;

async function replace(file: string, content: string | Buffer): Promise<void> {
  const unfinished = `${file}.${process.pid}`;
  await writeFile(unfinished, content);
  await rename(unfinished, file);
}

async function removed(file: string): Promise<boolean> {
  try {
    await rm(file);
    return true;
  } catch {
    return false;
  }
}
