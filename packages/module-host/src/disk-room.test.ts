import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder, until } from '@holdfast/testkit';
import { afterEach, describe, expect, it } from '@jest/globals';
import { CAP_BYTES_MIN, DiskRoom } from './disk-room.ts';
import { Reserve } from './reserve.ts';

const MIB = 1024 * 1024;
const blocksOf = (path: string): number => statSync(path).blocks * 512;

describe('a reserve', () => {
  it('is made of real blocks, and gives them all back at once', async () => {
    const path = join(temporaryFolder(), 'reserve');
    const reserve = new Reserve(path);
    await reserve.hold(3 * MIB + 1);
    expect(reserve.heldBytes).toBe(3 * MIB + 1);
    expect(blocksOf(path)).toBeGreaterThanOrEqual(3 * MIB + 1);
    expect(reserve.release()).toBe(true);
    expect(blocksOf(path)).toBe(0);
    expect(reserve.release()).toBe(false);
  });

  it('goes on where an earlier process stopped, and shrinks when less is wanted', async () => {
    const path = join(temporaryFolder(), 'reserve');
    await new Reserve(path).hold(MIB);
    await new Reserve(path).hold(2 * MIB);
    expect(statSync(path).size).toBe(2 * MIB);
    await new Reserve(path).hold(5);
    expect(statSync(path).size).toBe(5);
  });

  it('stops filling when it is given up meanwhile', async () => {
    const path = join(temporaryFolder(), 'reserve');
    const reserve = new Reserve(path);
    const filling = reserve.hold(8 * MIB);
    reserve.release();
    await filling;
    expect(statSync(path).size).toBeLessThanOrEqual(MIB);
  });

  it('throws nothing where it cannot be made', async () => {
    const reserve = new Reserve(join(temporaryFolder(), 'no-folder', 'reserve'));
    await reserve.hold(MIB);
    expect(reserve.heldBytes).toBe(0);
  });
});

describe('the room of a store', () => {
  const log = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };
  let room: DiskRoom | undefined;
  afterEach(() => room?.stop());
  const open = (settings: { capBytes: number; freeBytesMin?: number }): DiskRoom => {
    const file = join(temporaryFolder(), 'store.db');
    writeFileSync(file, Buffer.alloc(MIB));
    room = new DiskRoom({ file, logBytesMax: 32 * MIB, settings, log });
    return room;
  };

  it('is its cap while the volume has more than that above the floor', () => {
    const { allowedBytes, neededBytes, takenBytes } = open({
      capBytes: 64 * MIB,
      freeBytesMin: 0,
    }).look(MIB);
    expect(takenBytes).toBe(MIB);
    expect(allowedBytes).toBe(64 * MIB);
    // A whole log, and the reserve for it.
    expect(neededBytes).toBe(MIB + 4 * MIB + 5 * MIB);
  });

  it('is the pages that its file has when the volume is below the floor', () => {
    const room = open({ capBytes: 64 * MIB, freeBytesMin: Number.MAX_SAFE_INTEGER });
    const { allowedBytes, neededBytes } = room.look(MIB);
    expect(allowedBytes).toBe(neededBytes);
    // Not even when the log has brought more of them meanwhile.
    expect(room.look(MIB + 1).neededBytes).toBeGreaterThan(allowedBytes);
  });

  it('is never smaller than a store needs to work at all', () => {
    expect(open({ capBytes: 1, freeBytesMin: 0 }).look(0).capBytes).toBe(CAP_BYTES_MIN);
  });

  it('keeps a tenth of the volume free, at most 512 MiB, when nothing is set', () => {
    const { floorBytes } = open({ capBytes: MIB }).look(0);
    expect(floorBytes).toBeGreaterThan(0);
    expect(floorBytes).toBeLessThanOrEqual(512 * MIB);
  });

  it('takes the reserve at the start, and again after it was given up', async () => {
    const disk = open({ capBytes: 16 * MIB, freeBytesMin: 0 });
    disk.start();
    const whole = (): boolean => disk.look(0).takenBytes === MIB + disk.reserveBytes;
    await until(whole);
    expect(disk.giveUpReserve()).toBe(true);
    expect(disk.look(0).takenBytes).toBe(MIB);
    await until(whole);
  });

  it('does not take the reserve below the floor', async () => {
    const disk = open({ capBytes: 16 * MIB, freeBytesMin: Number.MAX_SAFE_INTEGER });
    disk.start();
    expect(disk.look(0).takenBytes).toBe(MIB);
    expect(disk.giveUpReserve()).toBe(false);
  });
});
