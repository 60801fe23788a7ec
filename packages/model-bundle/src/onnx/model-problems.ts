import type { BundleManifest, Problem } from '@holdfast/contracts';
import { type BundleFolder, MANIFEST, MODEL } from '../bundle-folder.ts';
import { BundleError } from '../errors.ts';
import { RUNTIME } from './limits.ts';
import type { ExternalData, ModelFacts } from './model-facts.ts';

/**
 * Refuses a model that this release cannot or must not run: made for a newer runtime, with operators that are not part
 * of it, with functions of its own, or with weights from a file that is not part of the bundle.
 * @throws BundleError BUNDLE_OPSET, BUNDLE_DOMAIN, BUNDLE_EXTERNAL_DATA
 */
export async function refuseModel(
  facts: ModelFacts,
  manifest: BundleManifest,
  folder: BundleFolder,
): Promise<void> {
  refuse('BUNDLE_OPSET', MODEL, versionProblems(facts));
  const opset = facts.opsets.get('');
  if (opset !== undefined && opset !== manifest.opset) {
    const allowed = `must be ${opset}, as ${MODEL} says`;
    refuse('BUNDLE_OPSET', MANIFEST, [{ path: 'opset', value: String(manifest.opset), allowed }]);
  }
  refuse('BUNDLE_DOMAIN', MODEL, domainProblems(facts));
  for (const external of facts.externalData) {
    const problem = await externalProblem(external, manifest, folder);
    refuse('BUNDLE_EXTERNAL_DATA', MODEL, problem === undefined ? [] : [problem]);
  }
}

function refuse(
  code: 'BUNDLE_OPSET' | 'BUNDLE_DOMAIN' | 'BUNDLE_EXTERNAL_DATA',
  file: string,
  problems: readonly Problem[],
): void {
  if (problems.length > 0) throw BundleError.of(code, file, problems);
}

const OPSET_MAX: ReadonlyMap<string, number> = new Map(Object.entries(RUNTIME.opsetMax));

/** Imports of unknown domains do not count while no node uses them: the runtime, too, looks at them only then. */
function versionProblems({ irVersion, opsets }: ModelFacts): Problem[] {
  const problems: Problem[] = [];
  const { irVersionMax } = RUNTIME;
  if (irVersion < 1 || irVersion > irVersionMax) {
    const allowed = `must be 1 to ${irVersionMax}`;
    problems.push({ path: 'ir_version', value: String(irVersion), allowed });
  }
  for (const [domain, version] of opsets) {
    const max = OPSET_MAX.get(domain);
    if (max === undefined) continue;
    const path = domain === '' ? 'opset' : `opset of ${domain}`;
    if (version < 1 || version > max) {
      problems.push({ path, value: String(version), allowed: `must be at most ${max}` });
    }
  }
  return problems;
}

function domainProblems({ operators, functions }: ModelFacts): Problem[] {
  const known = [...OPSET_MAX.keys()].map((domain) => JSON.stringify(domain));
  const problems: Problem[] = [];
  for (const [domain, kinds] of operators) {
    if (OPSET_MAX.has(domain)) continue;
    const [operator] = kinds.keys();
    const value = JSON.stringify(domain);
    const allowed = `must be ${known.join(' or ')}; operator "${operator}" is of it`;
    problems.push({ path: 'domain', value, allowed });
  }
  // A function that calls another ten times, which calls a third ten times, grows a thousandfold when it is loaded.
  if (functions.length > 0) {
    const value = functions.map((name) => JSON.stringify(name)).join(' and ');
    const allowed = 'must be none: put their bodies into the graph (onnx.inliner) and pack again';
    problems.push({ path: 'functions', value, allowed });
  }
  return problems;
}

async function externalProblem(
  { location, end, endOf }: ExternalData,
  manifest: BundleManifest,
  folder: BundleFolder,
): Promise<Problem | undefined> {
  const path = `${endOf}.location`;
  const value = JSON.stringify(location);
  // Names in the manifest have no folders and no dots in front, so this also keeps the location inside of the folder.
  if (!Object.hasOwn(manifest.files, location)) {
    return { path, value, allowed: `must be a file of this folder that ${MANIFEST} names` };
  }
  const size = await folder.sizeOf(location);
  if (size === undefined) {
    return { path, value, allowed: 'must be a plain file, not a link' };
  }
  if (end <= size) return undefined;
  const allowed = `must end within the ${size} bytes of ${JSON.stringify(location)}`;
  return { path: endOf, value: `${end} bytes`, allowed };
}
