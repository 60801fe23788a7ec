import { BundleError } from './errors.ts';

/**
 * Orders two versions of one model: below 0 when `left` is older, 0 for the same rank. The rule of Semantic Versioning
 * 2.0.0, section 11, made total, since versions of models are free text:
 * - a leading `v` and everything from the first `+` on do not count;
 * - before the first `-`, parts between dots are compared one by one, numbers as numbers, other parts as text and above
 *   numbers; missing parts are 0 (`1.2` is `1.2.0`);
 * - what follows the first `-` is a pre-release: older than the same version without one; its parts likewise, and more
 *   parts are newer.
 *
 * Dates (`2026.11.25`, `2026-11-25`) come out in order. Names without an order of their own (`final`, `final2`) are
 * ordered as text: give versions numbers.
 */
export function compareVersions(left: string, right: string): number {
  const a = parsed(left);
  const b = parsed(right);
  return (
    compareParts(a.core, b.core, '0') ||
    Number(a.preRelease === undefined) - Number(b.preRelease === undefined) ||
    compareParts(a.preRelease ?? [], b.preRelease ?? [], undefined)
  );
}

/**
 * Refuses a bundle that is older than the one last accepted under its name, so that who controls a source, but not the
 * key, cannot bring back an old version with a known flaw. The same version with another digest is accepted: it is
 * signed, and nobody but its author knows which of the two is newer.
 * @param lastVersion of the same model; undefined when there was none
 * @throws BundleError BUNDLE_DOWNGRADE
 */
export function refuseDowngrade(
  next: { readonly name: string; readonly version: string },
  lastVersion: string | undefined,
  options: { readonly allowOlder?: boolean } = {},
): void {
  if (lastVersion === undefined || options.allowOlder === true) return;
  if (compareVersions(next.version, lastVersion) >= 0) return;
  const allowed = `must not be older than ${lastVersion}, which was accepted for "${next.name}" before, unless older versions are allowed`;
  throw BundleError.of('BUNDLE_DOWNGRADE', 'model.json', [
    { path: 'version', value: JSON.stringify(next.version), allowed },
  ]);
}

function parsed(version: string): { core: string[]; preRelease: string[] | undefined } {
  const plain = version.replace(/^v(?=\d)/i, '').replace(/\+.*$/s, '');
  const dash = plain.indexOf('-');
  const core = (dash === -1 ? plain : plain.slice(0, dash)).split('.');
  return { core, preRelease: dash === -1 ? undefined : plain.slice(dash + 1).split('.') };
}

function compareParts(left: string[], right: string[], missing: string | undefined): number {
  for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
    const a = left[index] ?? missing;
    const b = right[index] ?? missing;
    if (a === undefined || b === undefined) return a === undefined ? -1 : 1;
    const order = comparePart(a, b);
    if (order !== 0) return order;
  }
  return 0;
}

function comparePart(left: string, right: string): number {
  const numbers = [left, right].map((part) => /^\d+$/.test(part));
  if (numbers[0] !== numbers[1]) return numbers[0] ? -1 : 1;
  if (!numbers[0]) return Math.sign(Number(left > right) - Number(left < right));
  const [a, b] = [BigInt(left), BigInt(right)];
  return Math.sign(Number(a > b) - Number(a < b));
}
