import { spawnSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statfsSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const MIB = 1024 * 1024;
/** Written at once by the filler, down to one block when it is nearly full. */
const PIECES = [MIB, 64 * 1024, 4096];

/**
 * An ext4 file system of its own, small enough to be filled in a moment: a file, mounted through a loop device. It is
 * unmounted by `unmount`, and at the end of the process in any case.
 */
export class SmallVolume {
  readonly folder: string;
  readonly #image: string;
  readonly #filler: string;
  #mounted = true;
  static readonly #all = new Set<SmallVolume>();
  static #watching = false;

  /** @param folder where image and mount point are made @throws Error with what the tools said */
  static mount(folder: string, bytes: number): SmallVolume {
    return new SmallVolume(folder, bytes);
  }

  private constructor(folder: string, bytes: number) {
    this.folder = path.join(folder, 'volume');
    this.#image = path.join(folder, 'volume.img');
    this.#filler = path.join(this.folder, 'filler');
    mkdirSync(this.folder, { recursive: true });
    closeSync(openSync(this.#image, 'w'));
    truncateSync(this.#image, bytes);
    // No blocks set aside for root: the tests run as root, and a container would not.
    run('mkfs.ext4', ['-q', '-F', '-m', '0', this.#image]);
    run('mount', ['-o', 'loop', this.#image, this.folder]);
    if (!SmallVolume.#watching) {
      SmallVolume.#watching = true;
      process.once('exit', SmallVolume.#unmountAll);
      // By itself a signal ends the process without what is to be done at its exit.
      process.once('SIGTERM', () => process.exit(143));
    }
    SmallVolume.#all.add(this);
  }

  /** Free for others than root. */
  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.folder);
    return bavail * bsize;
  }

  /** Another program that takes all but this much. */
  fill(leaveBytes = 0): void {
    const file = openSync(this.#filler, 'a');
    try {
      for (const piece of PIECES) {
        const bytes = Buffer.alloc(piece, 'x');
        while (this.freeBytes - leaveBytes >= piece) if (writeSync(file, bytes) < piece) break;
      }
    } catch (error) {
      if ((error as { code?: string }).code !== 'ENOSPC') throw error;
    } finally {
      closeSync(file);
    }
  }

  /** The other program goes. */
  free(): void {
    rmSync(this.#filler, { force: true });
  }

  /** Takes the volume away, also from processes that still hold files on it. Idempotent. */
  unmount(): void {
    if (!this.#mounted) return;
    this.#mounted = false;
    SmallVolume.#all.delete(this);
    const { status } = spawnSync('umount', [this.folder]);
    if (status !== 0) spawnSync('umount', ['-l', this.folder]);
    rmSync(this.#image, { force: true });
  }

  static readonly #unmountAll = (): void => {
    for (const volume of SmallVolume.#all) volume.unmount();
  };
}

/** Why no volume can be mounted on this machine, or undefined when one can. */
export async function volumeUnavailable(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'a small volume needs Linux';
  if (process.getuid?.() !== 0) return 'mounting a small volume needs root';
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-volume-'));
  try {
    SmallVolume.mount(folder, 8 * MIB).unmount();
    return undefined;
  } catch (error) {
    return `a small volume cannot be mounted: ${(error as Error).message}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function run(command: string, args: string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status === 0) return;
  throw new Error(`${command}: ${error?.message ?? stderr.trim()}`);
}
