import { spawnSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { temporaryFolder } from '@holdfast/testkit';
import { type ShimChange, ShimControl } from './shim-control.ts';

export { ShimControl, type ShimFailure } from './shim-control.ts';

/** What the layer between a process and the disk is to do. */
export interface ShimOptions extends ShimChange {
  /** Only files below it are watched; a real path, without symbolic links. */
  folder: string;
  /** Log of everything that changes the disk, outside of `folder`: see `readLog` in log.ts. It is appended to. */
  record?: string;
  /** Made by `ShimControl.create`, for changing everything but the log while the process runs. */
  control?: string;
}

const SOURCES = path.join(import.meta.dirname, 'shim');

/**
 * Variables that load the shim into a process and its children. Its C files are compiled at the first use on a
 * machine, which takes a second.
 * @throws Error when `shimUnavailable`
 */
export function shimEnvironment(options: ShimOptions): Record<string, string> {
  const built = build();
  if ('problem' in built) throw new Error(built.problem);
  const folder = path.resolve(options.folder);
  if (realpathSync(folder) !== folder) {
    throw new Error(`${folder} leads through a symbolic link; give ${realpathSync(folder)}`);
  }
  const control = options.control ?? path.join(temporaryFolder('shim'), 'control');
  if (options.control === undefined) ShimControl.create(control).set(options);
  else new ShimControl(control).set(options);
  const before = process.env.LD_PRELOAD;
  return {
    LD_PRELOAD: before === undefined ? built.library : `${built.library} ${before}`,
    HOLDFAST_SHIM_FOLDER: folder,
    HOLDFAST_SHIM_CONTROL: path.resolve(control),
    ...(options.record === undefined ? {} : recording(path.resolve(options.record))),
    // What goes through a ring of the kernel passes no function of libc.
    UV_USE_IO_URING: '0',
  };
}

/** The run gets a boot id of its own: whoever looks at the disk after the cut lives in another one. */
function recording(log: string): Record<string, string> {
  const bootId = `${log}.boot-id`;
  writeFileSync(bootId, `${randomUUID()}\n`);
  return { HOLDFAST_SHIM_RECORD: log, HOLDFAST_SHIM_BOOT_ID: bootId };
}

/** Why the shim cannot be used on this machine, or undefined when it can. */
export function shimUnavailable(): string | undefined {
  const built = build();
  return 'problem' in built ? built.problem : undefined;
}

let known: { library: string } | { problem: string } | undefined;

function build(): { library: string } | { problem: string } {
  known ??= compile();
  return known;
}

/** Into a folder named by the content, complete or not at all: several test processes may do it at once. */
function compile(): { library: string } | { problem: string } {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) {
    return { problem: `the disk shim needs Linux on x64 or arm64, not ${process.platform}` };
  }
  const files = readdirSync(SOURCES).sort();
  const hash = createHash('sha256').update(process.arch);
  for (const file of files) hash.update(readFileSync(path.join(SOURCES, file)));
  const user = process.getuid?.() ?? 0;
  const folder = path.join(tmpdir(), `holdfast-shim-${user}-${hash.digest('hex').slice(0, 16)}`);
  const library = path.join(folder, 'shim.so');
  if (existsSync(library)) return { library };
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const partial = path.join(folder, `${process.pid}.so`);
  const sources = files.filter((file) => file.endsWith('.c'));
  const flags = ['-shared', '-fPIC', '-O2', '-std=gnu11', '-fvisibility=hidden', '-pthread'];
  const { error, status, stderr } = spawnSync('cc', [...flags, '-o', partial, ...sources, '-ldl'], {
    cwd: SOURCES,
    encoding: 'utf8',
  });
  if (error !== undefined) return { problem: 'the disk shim needs a C compiler, `cc`' };
  if (status !== 0) return { problem: `the disk shim does not compile here: ${stderr.trim()}` };
  renameSync(partial, library);
  return { library };
}
