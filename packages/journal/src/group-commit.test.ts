import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { GroupCommit } from './group-commit.ts';
import { Journal } from './journal.ts';
import type { JournalReading } from './port.ts';

const reading = (asset: string, value: number | null = 1): JournalReading => ({
  asset,
  signals: ['x'],
  t: 1_000,
  values: [value],
});

describe('GroupCommit', () => {
  let folder: string;
  let journal: Journal;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'journal-'));
    const path = join(folder, 'journal.db');
    const newEpoch = (): string => 'epoch';
    journal = Journal.open({ path, partitions: 1, streamPrefix: 's', newEpoch, wallMs: () => 5 });
  });
  afterEach(() => {
    journal.close();
    rmSync(folder, { recursive: true });
  });

  it('commits what arrives in one turn in one transaction, and each gets its own positions', async () => {
    const commits = jest.spyOn(journal, 'appendAll');
    const group = new GroupCommit(journal);
    const positions = await Promise.all([
      group.append([reading('a'), reading('b')]),
      group.append([reading('c')]),
    ]);
    expect(positions.map((list) => list.map(({ seq }) => seq))).toEqual([[1, 2], [3]]);
    expect(commits).toHaveBeenCalledTimes(1);
    await group.append([reading('d')]);
    expect(commits).toHaveBeenCalledTimes(2);
  });

  it('waits on a slow disk for those that the commit before has answered', async () => {
    let nowMs = 0;
    const commits = jest.spyOn(journal, 'appendAll').mockImplementation((group) => {
      nowMs += 40;
      return group.map(() => []);
    });
    const group = new GroupCommit(journal, { nowMs: () => nowMs });
    await Promise.all([group.append([reading('a')]), group.append([reading('b')])]);
    const first = group.append([reading('a')]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(commits).toHaveBeenCalledTimes(1);
    await Promise.all([first, group.append([reading('b')])]);
    expect(commits.mock.calls.map(([entries]) => entries.length)).toEqual([2, 2]);
    nowMs += 10;
    const late = group.append([reading('a')]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(commits).toHaveBeenCalledTimes(3);
    await late;
  });

  it('does not wait for company on a slow disk when there was none', async () => {
    let nowMs = 0;
    const commits = jest.spyOn(journal, 'appendAll').mockImplementation((group) => {
      nowMs += 40;
      return group.map(() => []);
    });
    const group = new GroupCommit(journal, { nowMs: () => nowMs });
    await group.append([reading('a')]);
    const next = group.append([reading('a')]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(commits).toHaveBeenCalledTimes(2);
    await next;
  });

  it('has committed before it resolves', async () => {
    const group = new GroupCommit(journal);
    const appended = group.append([reading('a')]).then(() => journal.accepted());
    expect(journal.accepted()).toBe(0);
    expect(await appended).toBe(1);
  });

  it('does not wait for the end of the turn when enough rows wait', () => {
    const group = new GroupCommit(journal, { rowsMax: 2 });
    void group.append([reading('a')]);
    expect(journal.accepted()).toBe(0);
    void group.append([reading('b')]);
    expect(journal.accepted()).toBe(2);
  });

  it('commits at once when flushed, and nothing twice', async () => {
    const group = new GroupCommit(journal);
    const appended = group.append([reading('a')]);
    group.flush();
    expect(journal.accepted()).toBe(1);
    await appended;
    await new Promise((resolve) => setImmediate(resolve));
    expect(journal.accepted()).toBe(1);
  });

  it('refuses a bad reading or a taken key alone and stores the rest', async () => {
    const group = new GroupCommit(journal);
    const key = { id: 'k', digest: 'd', result: 'r' };
    const results = await Promise.allSettled([
      group.append([reading('a')], key),
      group.append([reading('b', Number.NaN)]),
      group.append([reading('c')], key),
      group.append([reading('d')]),
    ]);
    expect(
      results.map((result) =>
        result.status === 'fulfilled'
          ? result.value[0]?.seq
          : (result.reason as { code: string }).code,
      ),
    ).toEqual([1, 'JOURNAL_READING', 'JOURNAL_KEY_EXISTS', 2]);
  });

  it('rejects all that wait when the journal cannot store', async () => {
    const group = new GroupCommit(journal);
    const waiting = Promise.allSettled([
      group.append([reading('a')]),
      group.append([reading('b')]),
    ]);
    journal.close();
    group.flush();
    for (const result of await waiting) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'JOURNAL_CLOSED' } });
    }
  });
});
