import { createHash } from 'node:crypto';
import { mkdir, open, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { check, type Problem, showValue } from '@holdfast/contracts';
import { BundleError } from '../errors.ts';
import type { ModelFacts } from '../onnx/model-facts.ts';
import { readModelFacts } from '../onnx/read-model-facts.ts';
import { ExportManifest } from './export-manifest.ts';
import { manifestOfExport } from './manifest-of-export.ts';
import { mappedTensor, metadataOf, withOutput } from './onnx-parts.ts';

const EXPORT = 'cvexport.manifest';
const TEXT_BYTES_MAX = 1024 * 1024;
/** Compact models, the only ones that are exported, have some 10 to 100 MB. */
const MODEL_BYTES_MAX = 1024 * 1024 * 1024;

/**
 * Reads the folder of a Custom Vision export (ONNX, classification or object detection, float32 or float16) and writes
 * `model.onnx`, `labels.txt`, `cvexport.manifest` and a `model.json` to another folder, to be packed there. The ONNX file
 * goes over byte for byte, but for a classifier whose output is a map: that output becomes the tensor that it was made of.
 * @throws BundleError BUNDLE_FILE_MISSING, BUNDLE_NOT_JSON, BUNDLE_SCHEMA, BUNDLE_DIGEST (SHA-1), BUNDLE_TENSORS, and
 * those of `readModelFacts`
 */
export async function convertCustomVision(
  from: string,
  into: string,
  { name, version }: { name: string; version?: string | undefined },
): Promise<void> {
  const text = await read(from, EXPORT, TEXT_BYTES_MAX);
  const fields = parse(text);
  const original = await read(from, fields.ModelFileName, MODEL_BYTES_MAX);
  checkDigest(fields, original);
  const facts = await factsOf(join(from, fields.ModelFileName));
  const labelText = await read(from, fields.LabelFileName, TEXT_BYTES_MAX);
  const labels = String(labelText)
    .split('\n')
    .map((line) => line.replace(/^\uFEFF/, '').trim())
    .filter((line) => line !== '');
  const mapped = fields.DomainType === 'Classification' ? mappedTensor(original) : undefined;
  const model = mapped === undefined ? original : withOutput(original, mapped, labels.length);
  const made = manifestOfExport({
    name,
    version: version ?? versionOf(fields),
    fields,
    facts: mapped === undefined ? facts : { ...facts, outputs: [probabilities(mapped, labels)] },
    metadata: metadataOf(original),
    labels,
  });
  if (!('manifest' in made))
    throw BundleError.of('BUNDLE_TENSORS', fields.ModelFileName, made.problems);
  await mkdir(into, { recursive: true });
  await writeFile(join(into, 'model.onnx'), model);
  await writeFile(join(into, 'labels.txt'), labelText);
  await writeFile(join(into, EXPORT), text);
  await writeFile(join(into, 'model.json'), `${JSON.stringify(made.manifest, null, 2)}\n`);
}

/** When it was exported, so that versions come in order, and which iteration it is: `2026.01.31.120000+0a1b2c3d`. */
function versionOf({ ExportedDate, IterationId, ModelFileSHA1 }: ExportManifest): string {
  const [, date, time] = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)/.exec(ExportedDate ?? '') ?? [];
  const when =
    date === undefined ? '0' : `${date.replaceAll('-', '.')}.${time!.replaceAll(':', '')}`;
  const what = (IterationId ?? ModelFileSHA1).slice(0, 8).toLowerCase();
  return /^[0-9a-z]+$/.test(what) ? `${when}+${what}` : when;
}

const probabilities = (name: string, labels: readonly string[]): ModelFacts['outputs'][number] => ({
  name,
  type: 'float32',
  shape: ['batch', labels.length],
});

async function read(folder: string, name: string, bytesMax: number): Promise<Buffer> {
  // Names come from a file: they must not lead out of the folder.
  const path = join(folder, basename(name));
  const { size } = await stat(path).catch((cause) => {
    const message = `${name} is missing in ${folder}`;
    throw new BundleError('BUNDLE_FILE_MISSING', message, { file: name, cause });
  });
  if (size <= bytesMax) return readFile(path);
  const problem = { path: '', value: `${size} bytes`, allowed: `must be at most ${bytesMax}` };
  throw BundleError.of('BUNDLE_SCHEMA', name, [problem]);
}

function parse(text: Buffer): ExportManifest {
  let document: unknown;
  try {
    document = JSON.parse(String(text).replace(/^\uFEFF/, ''));
  } catch (cause) {
    const message = `${EXPORT} is not JSON: ${(cause as Error).message}`;
    throw new BundleError('BUNDLE_NOT_JSON', message, { file: EXPORT, cause });
  }
  const checked = check(ExportManifest, document);
  if (!checked.ok) throw BundleError.of('BUNDLE_SCHEMA', EXPORT, checked.problems);
  const { ModelFileName, LabelFileName } = checked.value;
  const outside = [ModelFileName, LabelFileName].filter((name) => basename(name) !== name);
  const problems = outside.map(
    (name): Problem => ({
      path: '',
      value: showValue(name),
      allowed: 'must be a file of the folder',
    }),
  );
  if (problems.length > 0) throw BundleError.of('BUNDLE_SCHEMA', EXPORT, problems);
  return checked.value;
}

function checkDigest({ ModelFileName, ModelFileSHA1 }: ExportManifest, model: Buffer): void {
  const digest = createHash('sha1').update(model).digest('hex');
  if (digest === ModelFileSHA1.toLowerCase()) return;
  const allowed = `must be ${ModelFileSHA1.toLowerCase()}, as ${EXPORT} says`;
  const problem = { path: 'SHA-1', value: digest, allowed };
  throw BundleError.of('BUNDLE_DIGEST', ModelFileName, [problem]);
}

async function factsOf(path: string): Promise<ModelFacts> {
  const file = await open(path, 'r');
  try {
    return await readModelFacts(file);
  } finally {
    await file.close();
  }
}
