import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../../../scripts/steps.ts';

/** The release whose stores and messages this one must get along with, both ways. */
export const PREVIOUS_RELEASE = 'd7b204b';

/** Why the previous release cannot be had here; undefined when it can. */
export function previousReleaseMissing(): string | undefined {
  try {
    git('cat-file', '-e', `${PREVIOUS_RELEASE}^{commit}`);
    return undefined;
  } catch {
    return `needs commit ${PREVIOUS_RELEASE} in the history of this checkout, and git; a shallow clone or a bare copy of the files does not have it`;
  }
}

/**
 * Puts the sources of the previous release into `folder`, with the packages installed here. Its own packages are its
 * own; what both take from npm has not changed since.
 */
export function extractPreviousRelease(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const archive = path.join(folder, 'sources.tar');
  git('archive', '--output', archive, PREVIOUS_RELEASE, 'package.json', 'modules', 'packages');
  execFileSync('tar', ['-xf', archive, '-C', folder]);
  rmSync(archive);
  const installed = path.join(ROOT, 'node_modules');
  const own = path.join(folder, 'node_modules');
  mkdirSync(path.join(own, '@holdfast'), { recursive: true });
  for (const name of readdirSync(installed)) {
    if (name !== '@holdfast') symlinkSync(path.join(installed, name), path.join(own, name));
  }
  for (const name of readdirSync(path.join(folder, 'packages'))) {
    symlinkSync(path.join(folder, 'packages', name), path.join(own, '@holdfast', name));
  }
}

const git = (...args: string[]): Buffer =>
  execFileSync('git', args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'ignore'] });
