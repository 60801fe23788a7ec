import { statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { Gauge, type Registry } from 'prom-client';
import type { Log } from './port.ts';
import { Reserve } from './reserve.ts';

const MIB = 1024 * 1024;

/** A store cannot work in less: a log of 1 MiB, the reserve for it, and a few tables. Smaller caps count as this. */
export const CAP_BYTES_MIN = 16 * MIB;

/** The floor when none is set: a tenth of the volume, at most this. Room for logs and an update of the others. */
const FLOOR_BYTES_DEFAULT_MAX = 512 * MIB;
const FLOOR_SHARE_DEFAULT = 0.1;

/** The write-ahead log takes this part of a small cap; a large cap leaves it at its best size. */
const LOG_SHARE = 1 / 16;

/** Of the reserve, beyond the log: pages of the file that one step of pruning or one eviction touches. */
const RESERVE_EXTRA_BYTES = MIB;

/** How often the reserve is looked after. */
const RESERVE_LOOK_MS = 1_000;

export interface RoomSettings {
  /** What the store may take on disk. */
  capBytes: number;
  /** What must stay free on the volume for others; undefined: a tenth of it, at most 512 MiB. */
  freeBytesMin?: number | undefined;
}

/** How a store stands on its volume; all in bytes. */
export interface Room {
  /** On disk now: database, write-ahead log and reserve. */
  takenBytes: number;
  /** Used pages, and the log and the reserve at their full size: what the store needs. */
  neededBytes: number;
  /** What it may need. Below the floor: the pages that its file has, so that it works on in place and does not grow. */
  allowedBytes: number;
  /** Free on the volume, for users other than root. */
  freeBytes: number;
  floorBytes: number;
  capBytes: number;
  reserveBytes: number;
}

/**
 * Room for one database on its volume: a cap for the store, a floor of free space for everybody else, and a reserve
 * for what must be finished when the disk is full all the same.
 */
export class DiskRoom {
  readonly #file: string;
  readonly #logBytesMax: number;
  readonly #log: Log;
  readonly #reserve: Reserve;
  #settings: RoomSettings;
  #timer: NodeJS.Timeout | undefined;
  #released = false;
  #ownBytes: number | undefined;

  /** @param options.logBytesMax best size of the write-ahead log */
  constructor(options: { file: string; logBytesMax: number; settings: RoomSettings; log: Log }) {
    this.#file = options.file;
    this.#logBytesMax = options.logBytesMax;
    this.#log = options.log;
    this.#settings = options.settings;
    this.#reserve = new Reserve(`${options.file}.reserve`);
  }

  apply(settings: RoomSettings): void {
    this.#settings = settings;
  }

  get capBytes(): number {
    return Math.max(this.#settings.capBytes, CAP_BYTES_MIN);
  }

  /** Size at which the write-ahead log is to be copied into the file. */
  get logBytes(): number {
    return Math.min(this.#logBytesMax, Math.floor(this.capBytes * LOG_SHARE));
  }

  /** A whole log that has to go into the file, which then grows by as much, and a little more. */
  get reserveBytes(): number {
    return this.logBytes + RESERVE_EXTRA_BYTES;
  }

  /** @param usedBytes of the pages that hold something */
  look(usedBytes: number): Room {
    const { freeBytes, floorBytes } = this.#volume();
    const fileBytes = sizeOf(this.#file);
    const log = sizeOf(`${this.#file}-wal`);
    const held = this.#reserve.heldBytes;
    const { capBytes, reserveBytes } = this;
    const extraBytes = Math.max(log, this.logBytes) + reserveBytes;
    // What log and reserve still have to take, and pages that are in the log only, are spoken for.
    const spokenFor = extraBytes - log - held + Math.max(0, usedBytes - fileBytes);
    const spareBytes = freeBytes - floorBytes - spokenFor;
    return {
      takenBytes: fileBytes + log + held,
      neededBytes: usedBytes + extraBytes,
      allowedBytes: Math.min(
        capBytes,
        this.#own(fileBytes, usedBytes, spareBytes) + extraBytes + Math.max(0, spareBytes),
      ),
      ...{ freeBytes, floorBytes, capBytes, reserveBytes },
    };
  }

  #volume(): { freeBytes: number; floorBytes: number } {
    const { bsize, blocks, bavail } = statfsSync(dirname(this.#file));
    const preset = Math.min(FLOOR_BYTES_DEFAULT_MAX, blocks * bsize * FLOOR_SHARE_DEFAULT);
    const floorBytes = this.#settings.freeBytesMin ?? Math.floor(preset);
    return { freeBytes: bavail * bsize, floorBytes };
  }

  /**
   * Pages that the store has: those in its file, and new ones that are in the log so far, for which there is the
   * reserve. Below the floor the number stays as it was, or copying the log would make it grow with each batch.
   */
  #own(fileBytes: number, usedBytes: number, spareBytes: number): number {
    if (spareBytes > 0 || this.#ownBytes === undefined) {
      this.#ownBytes = Math.max(fileBytes, usedBytes);
    }
    return this.#ownBytes;
  }

  /** For a full disk: gives the reserve up. True when that has made room. */
  giveUpReserve(): boolean {
    if (!this.#reserve.release()) return false;
    this.#released = true;
    this.#log.warn('The disk is full, the reserve is used to finish what is under way', {
      file: this.#file,
    });
    return true;
  }

  /** Takes the reserve, and takes it again whenever it was given up and the volume has room above the floor. */
  start(): void {
    this.#keepReserve();
    this.#timer = setInterval(() => this.#keepReserve(), RESERVE_LOOK_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #keepReserve(): void {
    const wanted = this.reserveBytes;
    const held = this.#reserve.heldBytes;
    if (held === wanted) return;
    const { freeBytes, floorBytes } = this.#volume();
    if (held < wanted && freeBytes - floorBytes < wanted - held) return;
    void this.#reserve.hold(wanted).then(() => {
      if (!this.#released || this.#reserve.heldBytes !== wanted) return;
      this.#released = false;
      this.#log.info('There is room on the disk again, the reserve is taken back', {
        file: this.#file,
      });
    });
  }
}

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

/** Gauges of one store's room, read when they are asked for. */
export function observeRoom(registry: Registry, look: () => Room): void {
  new Gauge({
    name: 'holdfast_disk_bytes',
    help: 'The store on its volume: taken, needed, allowed, cap, reserve; free space and floor of the volume',
    labelNames: ['what'],
    registers: [registry],
    collect() {
      for (const [name, bytes] of Object.entries(look())) {
        this.set({ what: name.replace(/Bytes$/, '') }, bytes);
      }
    },
  });
}
