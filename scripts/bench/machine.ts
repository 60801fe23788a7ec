import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import { ROOT } from '../steps.ts';

/** What the figures were measured on. */
export interface Machine {
  cpu: string;
  cores: number;
  memoryGb: number;
  kernel: string;
  node: string;
  /** Kind of file system of the folder for temporary files, where all stores of the bench lie. */
  disk: string;
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'not known',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    kernel: `${process.platform} ${release()}`,
    node: process.version,
    disk: diskOf(tmpdir()),
  };
}

/** Short name of the commit that is measured, with a mark when files have changed since. */
export function commit(): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim();
    const changed = git('status', '--porcelain', '--untracked-files=no') !== '';
    return git('rev-parse', '--short', 'HEAD') + (changed ? ' and changes' : '');
  } catch {
    return 'not known';
  }
}

/** File system and kind of device behind a folder, from the kernel's tables. */
function diskOf(folder: string): string {
  try {
    const mounts = readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' '))
      .filter(([, where]) => where !== undefined && isBelow(folder, where))
      .sort((a, b) => b[1]!.length - a[1]!.length);
    const [device, , type] = mounts[0] ?? [];
    if (type === undefined) return 'not known';
    return device?.startsWith('/dev/') ? `${type} on ${device.slice(5)}` : type;
  } catch {
    return 'not known';
  }
}

const isBelow = (folder: string, mount: string): boolean =>
  mount === '/' || folder === mount || folder.startsWith(`${mount}/`);
