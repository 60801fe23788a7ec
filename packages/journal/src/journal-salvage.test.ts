import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { codeOf, JournalFolder, someRows, T0 } from './testing/journal-folder.ts';

const everything = { after: 0, bytesMax: 1e9, lookback: 0 };
const FRAME = 4_096 + 24;

describe('a damaged journal', () => {
  const folder = new JournalFolder();

  /** Three commits of ten rows, then the files as SIGKILL leaves them. Gives the path of that image. */
  const killed = (name = 'killed.db'): string => {
    const journal = folder.open();
    for (let commit = 0; commit < 3; commit += 1) {
      const key = { id: `k${commit}`, digest: 'd', result: `r${commit}` };
      journal.append(someRows(10, 'a', commit * 10), key);
    }
    const image = join(dirname(folder.path), name);
    for (const file of ['', '-wal', '-mark']) copyFileSync(folder.path + file, image + file);
    journal.close();
    folder.path = image;
    return image;
  };
  const cut = (path: string, bytes: number): void =>
    writeFileSync(path, readFileSync(path).subarray(0, bytes));
  const flip = (path: string, at: number): void => {
    const bytes = readFileSync(path);
    bytes[at < 0 ? bytes.length + at : at]! ^= 1;
    writeFileSync(path, bytes);
  };

  it('that ends before its mark has lost its end: a gap keeps the numbers, the next ones follow', () => {
    const path = killed();
    const size = readFileSync(`${path}-wal`).length;
    // The last commit is the last few frames.
    cut(`${path}-wal`, size - FRAME);
    const journal = folder.open();
    expect(journal.salvage?.gaps).toEqual([
      { stream: 'ingest-0', epoch: 'epoch-0', first: 21, last: 30, count: 10 },
    ]);
    expect(journal.append(someRows(1, 'a', 30))[0]?.seq).toBe(31);
    expect(journal.accepted()).toBe(31);
    expect(journal.readBatch(0, everything)).toMatchObject({ first: 1, last: 20 });
    expect(() => journal.readBatch(0, { ...everything, after: 20 })).toThrow('damaged at 21..30');
    expect(journal.streams[0]?.barrier).toBeUndefined();
  });

  it('gives back what stands behind a broken frame of its log', () => {
    const path = killed();
    const frames = (readFileSync(`${path}-wal`).length - 32) / FRAME;
    // In the middle, and only in a page that holds a row's chunk in an older state.
    flip(`${path}-wal`, 32 + Math.floor(frames / 2) * FRAME + 40);
    const journal = folder.open();
    expect(journal.salvage?.reason).toBe('acknowledged frames of the log are broken');
    expect(journal.salvage?.saved).toBe(30);
    expect(journal.readBatch(0, everything)).toMatchObject({ first: 1, last: 30 });
    expect(journal.streams[0]?.epoch).toBe('epoch-0');
  });

  it('is not what a write leaves that the power cut short', () => {
    const path = killed();
    const wal = readFileSync(`${path}-wal`);
    // Frames of a transaction that never ended: the salts are right, the checksums are not.
    const torn = Buffer.from(wal.subarray(-2 * FRAME));
    torn.fill(7, 24 + 100, 24 + 200);
    writeFileSync(`${path}-wal`, Buffer.concat([wal, torn.subarray(0, FRAME + 1_000)]));
    const journal = folder.open();
    expect(journal.salvage).toBeUndefined();
    expect(journal.readBatch(0, everything)).toMatchObject({ first: 1, last: 30 });
    expect(journal.streams[0]?.barrier).toBeUndefined();
    expect(readdirSync(dirname(path))).not.toContain('killed.db-wal-torn');
  });

  it('without mark and with an uncertain end gives what comes next an epoch of its own', () => {
    const path = killed();
    rmSync(`${path}-mark`);
    const wal = readFileSync(`${path}-wal`);
    writeFileSync(`${path}-wal`, wal.subarray(0, wal.length - 100));
    const journal = folder.open();
    expect(journal.salvage).toBeUndefined();
    const { appended, barrier } = journal.streams[0]!;
    expect(barrier).toBe(appended);
    journal.append(someRows(5));
    journal.receipt(0, appended);
    journal.close();
    const again = folder.open();
    expect(again.streams[0]).toMatchObject({ barrier: appended, epoch: 'epoch-0' });
    again.startEpoch(0);
    expect(again.streams[0]).toMatchObject({ barrier: undefined, appended: 5, receipted: 0 });
    expect(again.accepted()).toBe(appended + 5);
  });

  it('keeps epoch, receipts and idempotency keys when its header is gone', () => {
    const path = killed();
    folder.open().close();
    const bytes = readFileSync(path);
    bytes.fill(0, 0, 200);
    writeFileSync(path, bytes);
    const journal = folder.open();
    expect(journal.salvage).toMatchObject({ reason: 'the file has no header', saved: 30, keys: 3 });
    expect(journal.streams[0]).toMatchObject({ epoch: 'epoch-0', appended: 30 });
    expect(journal.findKey('k1')?.result).toBe('r1');
    expect(journal.readBatch(0, everything)?.assets[0]?.t[29]).toBe(T0 + 29);
  });

  it('that is gone is told by its mark', () => {
    const path = killed();
    for (const file of ['', '-wal']) rmSync(path + file);
    const journal = folder.open();
    expect(journal.salvage).toMatchObject({ reason: 'the file is empty or gone', saved: 0 });
    expect(journal.salvage?.gaps).toMatchObject([{ first: 1, last: 30 }]);
  });

  it('finishes the exchange of files that a power cut has interrupted', () => {
    const path = killed();
    copyFileSync(path, `${path}-salvaged`);
    rmSync(`${path}-salvaged`);
    flip(path, 1);
    folder.open().close();
    // The same again, as if the power had failed before the last rename.
    copyFileSync(path, `${path}-salvaged`);
    writeFileSync(path, 'rubbish');
    writeFileSync(`${path}-wal`, 'rubbish');
    const journal = folder.open();
    expect(journal.salvage).toBeUndefined();
    expect(journal.readBatch(0, everything)).toMatchObject({ first: 1, last: 30 });
    expect(existsSync(`${path}-salvaged`)).toBe(false);
  });

  it('is left alone while another one has it open', () => {
    const path = killed();
    const journal = folder.open();
    flip(path, 20);
    writeFileSync(`${path}-damaged`, 'noted by the test');
    expect(codeOf(() => folder.open())).toBe('JOURNAL_LOCKED');
    expect(existsSync(join(dirname(path), 'damaged'))).toBe(false);
    journal.append(someRows(1, 'a', 30));
    flip(path, 20);
    rmSync(`${path}-damaged`);
  });

  it('leaves the last three finds in a folder beside it', () => {
    const path = killed();
    for (let find = 0; find < 5; find += 1) {
      flip(path, 3);
      const journal = folder.open({ wallMs: () => 1_000 + find });
      expect(journal.salvage?.quarantined?.kept.length).toBeGreaterThan(0);
      journal.close();
    }
    const finds = readdirSync(join(dirname(path), 'damaged')).map((name) => name.split('-')[0]);
    expect(new Set(finds).size).toBe(3);
  });
});
