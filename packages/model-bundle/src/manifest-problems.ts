import {
  type BundleManifest,
  type GoldenOutputs,
  hasContributions,
  type Problem,
  showValue,
} from '@holdfast/contracts';
import { GOLDEN, MANIFEST, MODEL } from './bundle-folder.ts';
import { shapeProblems } from './shape-rules.ts';

/** A file of a bundle, in its folder itself: no folders, no dot in front. */
export const FILE_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;

/** What the schema of `model.json` alone does not say: names of files and signals, and ranges that hold something. */
export function manifestProblems(manifest: BundleManifest): Problem[] {
  const problems: Problem[] = [];
  for (const name of Object.keys(manifest.files)) {
    if (FILE_NAME.test(name) && name !== MANIFEST) continue;
    const allowed = `must name a file of this folder other than ${MANIFEST}`;
    problems.push({ path: 'files', value: showValue(name), allowed });
  }
  // What an image model gives for a grey image is looked at instead.
  const needed = manifest.inputs.image === undefined ? [MODEL, GOLDEN] : [MODEL];
  for (const name of needed) {
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
  return [...problems, ...shapeProblems(manifest)];
}

/** Where the golden inputs and outputs do not have the shape that the manifest gives them. */
export function goldenShapeProblems(golden: GoldenOutputs, manifest: BundleManifest): Problem[] {
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
    if (!hasContributions(manifest)) {
      const allowed = `must be left out, ${MANIFEST} names no output for them`;
      problems.push({ path: `${path}.contributions`, allowed });
    } else if (shares.length !== signals.length) {
      const allowed = `must have ${signals.length} items`;
      problems.push({ path: `${path}.contributions`, value: showValue(shares), allowed });
    }
  }
  return problems;
}
