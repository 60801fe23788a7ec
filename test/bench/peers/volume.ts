import { spawnSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  openSync,
  rmSync,
  statfsSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { must } from './install.ts';

const MIB = 1 << 20;

/** A small ext4 file system of its own, so that a full disk is nobody else's. Needs root and loop devices. */
export class Volume {
  readonly folder: string;
  readonly #image: string;

  /** A run that is broken off must not leave a mount behind. */
  readonly #atExit = (): void => {
    spawnSync('umount', ['-l', this.folder]);
  };

  private constructor(folder: string, image: string) {
    this.folder = folder;
    this.#image = image;
  }

  /** @throws Error of mkfs or mount, for instance without root */
  static async mount(parent: string, sizeMiB: number): Promise<Volume> {
    const image = path.join(parent, 'volume.img');
    const folder = path.join(parent, 'volume');
    mkdirSync(folder);
    closeSync(openSync(image, 'w'));
    truncateSync(image, sizeMiB * MIB);
    await must('mkfs.ext4', ['-q', '-m', '0', image]);
    await must('mount', ['-o', 'loop', image, folder]);
    const volume = new Volume(folder, image);
    process.once('exit', volume.#atExit);
    return volume;
  }

  /** Bytes that may still be written. */
  get free(): number {
    const { bavail, bsize } = statfsSync(this.folder);
    return Number(bavail) * Number(bsize);
  }

  /** Another program takes all room but so many bytes; called again it takes what has come free since. */
  fill(leave: number): void {
    const file = openSync(path.join(this.folder, 'ballast'), 'a');
    const block = Buffer.alloc(64 * 1024, 1);
    try {
      for (let free = this.free - leave; free > 0; free = this.free - leave) {
        writeSync(file, block, 0, Math.min(free, block.length));
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      closeSync(file);
    }
  }

  /** Gives the room back. */
  clear(): void {
    rmSync(path.join(this.folder, 'ballast'), { force: true });
  }

  async unmount(): Promise<void> {
    process.off('exit', this.#atExit);
    await must('umount', ['-l', this.folder]);
    rmSync(this.#image);
  }
}
