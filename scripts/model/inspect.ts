import { lookbackOf, outputNames } from '@holdfast/contracts';
import {
  BundleFolder,
  claimedKeyOf,
  type ModelFacts,
  SIGNATURE,
  trustIn,
  type VerifiedBundle,
  verifyBundle,
} from '@holdfast/model-bundle';
import type { Command, Terminal } from './command.ts';
import { trustedKeysOf } from './key-options.ts';
import { bytes } from './progress.ts';

const SIGNATURE_BYTES_MAX = 1024 * 1024;

interface Inspected {
  identity: VerifiedBundle['identity'];
  manifest: VerifiedBundle['manifest'];
  model: Omit<ModelFacts, 'opsets' | 'operators'> & {
    opsets: Record<string, number>;
    operators: Record<string, Record<string, number>>;
  };
  goldenCases: number;
  signature: { key: string | null; verified: boolean } | null;
  files: { name: string; sizeBytes: number }[];
  sizeBytes: number;
}

export const inspect: Command = {
  name: 'inspect',
  summary: 'show what a bundle is',
  usage: '<folder> [--key <public.pem>]... [--json]',
  help: `Checks a bundle and shows it: identity, signals, window, outputs, levels, what the ONNX file needs, size, files, signature.

  --key <public.pem>  public key to check the signature with; without one it is shown, not checked`,
  positionals: { min: 1, max: 1 },
  options: { key: { type: 'string', multiple: true } },
  async run(run): Promise<Inspected> {
    const path = String(run.positionals[0]);
    const keys = await trustedKeysOf(run);
    const bundle = await verifyBundle(path, trustIn(keys, 'optional'));
    const folder = await BundleFolder.open(path);
    const files: Inspected['files'] = [];
    for (const name of ['model.json', ...Object.keys(bundle.manifest.files), SIGNATURE]) {
      const sizeBytes = await folder.sizeOf(name);
      if (sizeBytes !== undefined) files.push({ name, sizeBytes });
    }
    const { opsets, operators, ...facts } = bundle.facts;
    return {
      identity: bundle.identity,
      manifest: bundle.manifest,
      model: {
        ...facts,
        opsets: Object.fromEntries(opsets),
        operators: Object.fromEntries(
          [...operators].map(([domain, kinds]) => [domain, Object.fromEntries(kinds)]),
        ),
      },
      goldenCases: bundle.golden.cases.length,
      signature: await signatureOf(folder, bundle.signedBy),
      files,
      sizeBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    };
  },
  show: (inspected: Inspected, terminal) => {
    for (const [name, ...lines] of rowsOf(inspected)) {
      lines.forEach((line, index) => {
        terminal.out(`${(index === 0 ? name : '').padEnd(12)} ${line}`);
      });
    }
    showSignals(inspected, terminal);
  },
};

async function signatureOf(
  folder: BundleFolder,
  signedBy: string | undefined,
): Promise<Inspected['signature']> {
  if (signedBy !== undefined) return { key: signedBy, verified: true };
  if ((await folder.sizeOf(SIGNATURE)) === undefined) return null;
  const content = await folder.readSmall(SIGNATURE, SIGNATURE_BYTES_MAX);
  return { key: claimedKeyOf(content) ?? null, verified: false };
}

/** Name, then one or more lines. */
function rowsOf(inspected: Inspected): [string, ...string[]][] {
  const { identity, manifest, model, signature, files } = inspected;
  const { levels } = manifest;
  const external = model.externalData.map(
    ({ location, tensors }) => `${tensors} tensors in ${location}`,
  );
  return [
    ['model', `${identity.name} ${identity.version}`],
    ['', ...(manifest.description === '' ? [] : [manifest.description])],
    ['digest', identity.digest],
    ['signature', showSignature(signature)],
    ['input', ...inputOf(manifest)],
    ['outputs', `${manifest.outputs.kind ?? 'score'}: ${outputNames(manifest.outputs).join(', ')}`],
    ['levels', `warning ${levels.warning}, alarm ${levels.alarm}`],
    ['golden', `${inspected.goldenCases} cases`],
    ['reference', files.some(({ name }) => name === 'reference.json') ? 'reference.json' : 'none'],
    ['ONNX', `IR ${model.irVersion}, made by ${model.producer || 'nobody that says so'}`],
    [
      '',
      ...Object.entries(model.opsets).map(([domain, version]) => opsetOf(domain, version, model)),
    ],
    ['', `${model.nodes} nodes, graphs ${model.graphDepth} deep`],
    [
      'parameters',
      `${model.parameters.toLocaleString('en-US')} (${bytes(model.weightBytes)})`,
      ...external,
    ],
    ['size', `${bytes(inspected.sizeBytes)} in ${files.length} files`],
    ['', ...files.map(({ name, sizeBytes }) => `${name}, ${bytes(sizeBytes)}`)],
  ];
}

function opsetOf(domain: string, version: number, { operators }: Inspected['model']): string {
  const used = Object.keys(operators[domain] ?? {}).length;
  return `${domain || 'standard operators'} ${version}, ${used} of them used`;
}

function showSignature(signature: Inspected['signature']): string {
  if (signature === null) return 'none';
  const { key, verified } = signature;
  if (verified) return `holds, by ${key}`;
  return `says it is by ${key ?? 'a key it does not name'} (not checked: no --key)`;
}

function inputOf(manifest: Inspected['manifest']): string[] {
  const { inputs } = manifest;
  const { image } = inputs;
  if (image !== undefined) {
    const { width, height, colour, layout, datatype } = image;
    return [`${inputs.tensor}, images of ${width} x ${height}, ${colour}, ${layout}, ${datatype}`];
  }
  const hop = inputs.hopMs === undefined ? '' : `, one in ${inputs.hopMs} ms`;
  return [
    `${inputs.tensor}, ${inputs.rows} rows of ${inputs.signals.length} signals, ${inputs.periodMs} ms apart${hop}`,
    `at most ${inputs.gapMsMax} ms between rows, fill ${inputs.fill}, lookback ${lookbackOf(manifest)} rows`,
  ];
}

function showSignals({ manifest }: Inspected, terminal: Terminal): void {
  const { signals } = manifest.inputs;
  const width = Math.max(0, ...signals.map(({ name }) => name.length));
  for (const [index, { name, unit, min, max }] of signals.entries()) {
    const range = min === undefined && max === undefined ? '' : `${min ?? ''} to ${max ?? ''}`;
    const row = `${name.padEnd(width)}  ${unit.padEnd(8)}  ${range}`.trimEnd();
    terminal.out(`${(index === 0 ? 'signals' : '').padEnd(12)} ${row}`);
  }
}
