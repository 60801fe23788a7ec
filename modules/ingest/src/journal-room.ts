import type { Journal } from '@holdfast/journal';
import type { Clock, DiskRoom, Room } from '@holdfast/module-host';

/** Why nothing can be stored now: the cap, the floor of free space, or a disk that was full when it was tried. */
export interface Shortage {
  reason: 'cap' | 'floor' | 'disk-full';
  text: string;
}

/**
 * Sources that can be told to wait are told so when this part of the room is left; the rest is for messages of the
 * hub, which cannot be refused without cutting the connection that brings the receipts too.
 */
const LEFT_FOR_MESSAGES = 0.03;

/** A look costs about 20 microseconds. In this time a fast source fills less than 2 MB. */
const LOOK_MS = 50;

/** A full disk is not tried again before this. */
const FULL_MS = 1_000;

/** Says whether the journal has room for more readings. */
export class JournalRoom {
  readonly #journal: Journal;
  readonly #disk: DiskRoom;
  readonly #clock: Clock;
  #room: Room | undefined;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #fullUntilMs = Number.NEGATIVE_INFINITY;

  constructor(parts: { journal: Journal; disk: DiskRoom; clock: Clock }) {
    this.#journal = parts.journal;
    this.#disk = parts.disk;
    this.#clock = parts.clock;
  }

  /** As it was at most 50 ms ago. */
  look(): Room {
    const nowMs = this.#clock.monotonicMs();
    if (this.#room === undefined || nowMs - this.#lookedMs >= LOOK_MS) {
      this.#room = this.#disk.look(this.#journal.disk.usedBytes);
      this.#lookedMs = nowMs;
    }
    return this.#room;
  }

  /** A commit has found the disk full. */
  wasFull(): void {
    this.#fullUntilMs = this.#clock.monotonicMs() + FULL_MS;
  }

  /**
   * @param canWait whether the source can be told to wait
   * @param backlogBytesMax bytes that readings without receipt may take
   */
  shortage(canWait: boolean, backlogBytesMax: number): Shortage | undefined {
    if (this.#clock.monotonicMs() < this.#fullUntilMs) {
      return { reason: 'disk-full', text: 'the disk is full' };
    }
    const { neededBytes, allowedBytes, capBytes, freeBytes, floorBytes } = this.look();
    const share = canWait ? 1 - LEFT_FOR_MESSAGES : 1;
    if (this.#journal.backlog().bytes >= backlogBytesMax * share) {
      const text = `readings without receipt have reached ${backlogBytesMax} bytes`;
      return { reason: 'cap', text };
    }
    if (neededBytes < allowedBytes * share) return undefined;
    if (allowedBytes === capBytes) {
      const text = `the journal needs ${neededBytes} bytes on disk of ${capBytes} that it may take`;
      return { reason: 'cap', text };
    }
    const text = `the volume has ${freeBytes} bytes free, and ${floorBytes} are kept for others`;
    return { reason: 'floor', text };
  }
}
