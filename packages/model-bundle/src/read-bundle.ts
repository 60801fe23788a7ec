import { createHash } from 'node:crypto';
import { join } from 'node:path';
import {
  BundleManifest,
  check,
  GoldenOutputs,
  type ModelIdentity,
  type Problem,
} from '@holdfast/contracts';
import type { z } from 'zod';
import { BundleFolder, GOLDEN, MANIFEST, MODEL } from './bundle-folder.ts';
import { BundleError, isBundleError } from './errors.ts';
import { goldenShapeProblems, manifestProblems } from './manifest-problems.ts';
import type { ModelFacts } from './onnx/model-facts.ts';
import { refuseModel } from './onnx/model-problems.ts';
import { readModelFacts } from './onnx/read-model-facts.ts';
import { SIGNATURE } from './signing/envelope.ts';
import { NO_KEYS, type TrustPolicy, verifySignature } from './signing/verify-signature.ts';

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
  /** What the ONNX file says about itself. */
  readonly facts: ModelFacts;
}

/** A bundle that a place accepts. */
export interface VerifiedBundle extends ModelBundle {
  /** Id of the trusted key that signed it; undefined when the policy has no keys, or let it pass unsigned. */
  readonly signedBy: string | undefined;
}

/**
 * Reads and checks the bundle in a folder, in this order: signature, as the policy asks; schema of both JSON files;
 * SHA-256 of every file that the manifest names; the ONNX file without its weights; shape of the golden inputs. The
 * digest of the bundle is the SHA-256 of `model.json`, which holds the digests of all other files, so it covers every
 * byte. Never opens a network connection.
 * @throws BundleError
 */
export async function verifyBundle(path: string, policy: TrustPolicy): Promise<VerifiedBundle> {
  const folder = await BundleFolder.open(path);
  const signedBy = await verifySignature(folder, policy);
  const bytes = await folder.readSmall(MANIFEST, MANIFEST_BYTES_MAX);
  const manifest = parse(MANIFEST, bytes, BundleManifest);
  refuse(MANIFEST, manifestProblems(manifest));
  for (const [name, digest] of Object.entries(manifest.files)) {
    await verifyDigest(folder, name, digest);
  }
  const facts = await verifyModel(folder, manifest);
  const golden = await readGolden(folder, manifest);
  refuse(GOLDEN, goldenShapeProblems(golden, manifest));
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  return {
    identity: { name: manifest.name, version: manifest.version, digest },
    manifest,
    golden,
    modelPath: join(path, MODEL),
    facts,
    signedBy,
  };
}

/** `verifyBundle` where no keys are set. @throws BundleError */
export const readBundle = (path: string): Promise<ModelBundle> => verifyBundle(path, NO_KEYS);

/** An image model may come without golden outputs: no cases then. */
async function readGolden(folder: BundleFolder, manifest: BundleManifest): Promise<GoldenOutputs> {
  if (manifest.files[GOLDEN] === undefined) return { tolerance: 1, cases: [] };
  return parse(GOLDEN, await folder.readSmall(GOLDEN, GOLDEN_BYTES_MAX), GoldenOutputs);
}

function refuse(file: string, problems: readonly Problem[]): void {
  if (problems.length > 0) throw BundleError.of('BUNDLE_SCHEMA', file, problems);
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

async function verifyDigest(folder: BundleFolder, name: string, expected: string): Promise<void> {
  const path = `files["${name}"]`;
  if (name === SIGNATURE) {
    const allowed = 'must be left out: it signs this file';
    throw BundleError.of('BUNDLE_SCHEMA', MANIFEST, [{ path, allowed }]);
  }
  const digest = `sha256:${await folder.digestOf(name)}`;
  if (digest === expected) return;
  const problem = { path, value: digest, allowed: `must be ${expected}, as ${MANIFEST} says` };
  throw BundleError.of('BUNDLE_DIGEST', name, [problem]);
}

async function verifyModel(folder: BundleFolder, manifest: BundleManifest): Promise<ModelFacts> {
  const file = await folder.openFile(MODEL);
  try {
    const facts = await readModelFacts(file);
    await refuseModel(facts, manifest, folder);
    return facts;
  } catch (cause) {
    if (isBundleError(cause)) throw cause;
    const message = `${MODEL} cannot be read: ${(cause as Error).message}`;
    throw new BundleError('BUNDLE_FILE_MISSING', message, { file: MODEL, cause });
  } finally {
    await file.close();
  }
}
