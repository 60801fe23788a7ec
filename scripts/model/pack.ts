import { mkdir, readdir, rm } from 'node:fs/promises';
import { BundleError, convertCustomVision, packBundle } from '@holdfast/model-bundle';
import { type Command, type Run, UsageError } from './command.ts';
import { makeGolden } from './golden.ts';

interface Packed {
  folder: string;
  name: string;
  version: string;
  digest: string;
  files: string[];
  signatureRemoved: boolean;
}

export const pack: Command = {
  name: 'pack',
  summary: 'make a bundle of an ONNX file and a short description',
  usage: '<folder> [--out <folder>] [--golden <n>] [--name <name>] [--model-version <version>]',
  help: `Takes a folder with model.onnx and model.json, adds to model.json what the ONNX file itself says (operator set, names of
tensors, rows of a window) and the digest of every file, and checks the whole as a site would. Whatever else is in the
folder becomes part of the bundle. The same files give the same bytes. If it fails, the folder stays as it was.

The least that model.json must have:
  {
    "name": "pump-loop", "version": "1.0.0",
    "inputs": { "signals": [{ "name": "Pressure", "unit": "bar" }], "periodMs": 1000 },
    "levels": { "warning": 2.2, "alarm": 3.4 }
  }

  --out <folder>             put the bundle there, and leave the first folder alone
  --golden <n>               if there is no golden.json: run the model on n made-up windows and write down what it gives
  --tolerance <number>       of those, absolute plus relative (default 0.001)
  --custom-vision            the folder is a Custom Vision export (cvexport.manifest, labels.txt, model.onnx); needs
                             --out and --name
  --name <name>              name of the model, before that in model.json
  --model-version <version>  version of the model, before that in model.json`,
  positionals: { min: 1, max: 1 },
  options: {
    out: { type: 'string' },
    golden: { type: 'string' },
    tolerance: { type: 'string' },
    name: { type: 'string' },
    'model-version': { type: 'string' },
    'custom-vision': { type: 'boolean' },
  },
  async run(run): Promise<Packed> {
    const folder = String(run.positionals[0]);
    const count = numberOf(run, 'golden', { min: 1, max: 1_000, whole: true });
    const tolerance = numberOf(run, 'tolerance', { min: 1e-9, max: 1, whole: false }) ?? 0.001;
    const out = run.text('out');
    if (run.flag('custom-vision')) return await packExport(run, folder, out);
    const { identity, manifest, signatureRemoved } = await packBundle(folder, {
      into: out,
      fields: fieldsOf(run),
      golden: count === undefined ? undefined : (draft) => makeGolden(draft, { count, tolerance }),
    });
    const files = ['model.json', ...Object.keys(manifest.files)];
    return { folder: out ?? folder, ...identity, files, signatureRemoved };
  },
  show({ folder, name, version, digest, files, signatureRemoved }: Packed, terminal): void {
    terminal.out(`${name} ${version} in ${folder}`);
    terminal.out(`digest  ${digest}`);
    terminal.out(`files   ${files.join(', ')}`);
    if (signatureRemoved) terminal.error('model.sig no longer held and was removed: sign again');
  },
};

/** The export stays as it is; what is made of it can be packed again after model.json was changed by hand. */
async function packExport(run: Run, folder: string, out: string | undefined): Promise<Packed> {
  const name = run.text('name');
  if (out === undefined || name === undefined) {
    throw new UsageError('--custom-vision needs --out and --name');
  }
  await mkdir(out, { recursive: true });
  if ((await readdir(out)).length > 0) {
    throw new BundleError('BUNDLE_NO_FOLDER', `${out} has files in it, must be new or empty`);
  }
  try {
    await convertCustomVision(folder, out, { name, version: run.text('model-version') });
    const { identity, manifest, signatureRemoved } = await packBundle(out);
    const files = ['model.json', ...Object.keys(manifest.files)];
    return { folder: out, ...identity, files, signatureRemoved };
  } catch (error) {
    await rm(out, { recursive: true, force: true });
    throw error;
  }
}

function fieldsOf(run: Run): Record<string, string> {
  const fields: Record<string, string> = {};
  const name = run.text('name');
  if (name !== undefined) fields.name = name;
  const version = run.text('model-version');
  if (version !== undefined) fields.version = version;
  return fields;
}

function numberOf(
  run: Run,
  option: string,
  allowed: { min: number; max: number; whole: boolean },
): number | undefined {
  const text = run.text(option);
  if (text === undefined) return undefined;
  const value = Number(text);
  const { min, max, whole } = allowed;
  if (text.trim() !== '' && value >= min && value <= max && (!whole || Number.isInteger(value))) {
    return value;
  }
  const what = whole ? 'a whole number' : 'a number';
  throw new UsageError(`--${option} must be ${what} from ${min} to ${max}, not ${text}`);
}
