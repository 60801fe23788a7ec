/**
 * Goal: the disks that are made up after a power cut are those that could be found, all of them and no others.
 * Method: short logs written by hand, thousands of images each, compared with what may and what must be among them.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { seeded, temporaryFolder } from '@holdfast/testkit';
import { expect, it } from '@jest/globals';
import { SECTOR_BYTES } from './disk-file.ts';
import type { LogEntry } from './log.ts';
import { Disk, freshImage } from './replay.ts';

/** Short writing of a log: descriptor 1 is the folder, others as opened. */
const create = (fd: number, name: string): LogEntry => opened(fd, name, true);
const opened = (fd: number, name: string, created = false): LogEntry => ({
  ...{ kind: 'open', pid: 1, fd, path: name, created, truncated: false },
});
const write = (fd: number, text: string, offset = 0): LogEntry => ({
  ...{ kind: 'write', pid: 1, fd, offset, data: Buffer.from(text) },
});
const sync = (fd: number): LogEntry => ({ kind: 'sync', pid: 1, fd });
const rename = (from: string, to: string): LogEntry => ({ kind: 'rename', from, to });
const folder = opened(1, '');

/** What was found, as `name=content name=content`, over many images. */
function found(entries: readonly LogEntry[], start?: string): Set<string> {
  const disk = new Disk(start);
  for (const entry of entries) disk.apply(entry);
  const image = path.join(temporaryFolder('image'), 'disk');
  const random = seeded(1);
  const all = new Set<string>();
  for (let count = 0; count < 400; count += 1) {
    freshImage(disk, image, random);
    const files = readdirSync(image, { withFileTypes: true }).filter((entry) => entry.isFile());
    const texts = files.map(({ name }) => {
      return `${name}=${readFileSync(path.join(image, name), 'latin1').replaceAll('\0', '_')}`;
    });
    all.add(texts.sort().join(' '));
  }
  return all;
}

it('finds what was synced, always', () => {
  expect(found([create(3, 'a'), write(3, 'one'), sync(3)])).toEqual(new Set(['a=one']));
});

it('finds each write that was not synced whole, absent, or with the size only', () => {
  const log = [create(3, 'a'), write(3, 'one'), sync(3), write(3, 'two', 3), write(3, 'ONE')];
  // Not `ONE___`: within one sector a later change is never found without the earlier one.
  expect(found(log)).toEqual(new Set(['a=one', 'a=onetwo', 'a=ONEtwo', 'a=ONE', 'a=one___']));
});

it('tears a long write at sectors only, and finds writes in any order', () => {
  const old = 'o'.repeat(4 * SECTOR_BYTES);
  const now = 'n'.repeat(4 * SECTOR_BYTES);
  const log = [create(3, 'a'), write(3, old), sync(3), write(3, now)];
  const kinds = [...found(log)].map((text) => {
    const content = text.slice(2);
    const sectors = content.match(new RegExp(`.{${SECTOR_BYTES}}`, 'g')) ?? [];
    expect(sectors.every((sector) => new Set(sector).size === 1)).toBe(true);
    return sectors.map((sector) => sector[0]).join('');
  });
  expect(kinds.length).toBe(16);
  const two = [
    ...[create(3, 'a'), write(3, 'x'.repeat(2 * SECTOR_BYTES)), sync(3)],
    ...[write(3, 'y'.repeat(SECTOR_BYTES)), write(3, 'z'.repeat(SECTOR_BYTES), SECTOR_BYTES)],
  ];
  expect([...found(two)].some((text) => text.startsWith('a=x') && text.endsWith('z'))).toBe(true);
});

it('finds a truncation that is not synced as a whole, or not at all with what came in its place', () => {
  const cut: LogEntry = { kind: 'truncate', pid: 1, fd: 3, size: 1 };
  const log = [create(3, 'a'), write(3, 'abc'), sync(3), cut];
  expect(found(log)).toEqual(new Set(['a=abc', 'a=a']));
  expect(found([...log, sync(3)])).toEqual(new Set(['a=a']));
  expect(found([...log, write(3, 'z', 2)])).toEqual(new Set(['a=abc', 'a=a', 'a=a__', 'a=a_z']));
  const long = 'o'.repeat(4 * SECTOR_BYTES);
  const empty: LogEntry = { kind: 'truncate', pid: 1, fd: 3, size: 0 };
  const two = found([create(3, 'a'), write(3, long), sync(3), empty]);
  expect(two).toEqual(new Set([`a=${long}`, 'a=']));
});

it('finds a new name only for sure when its folder, or the file, was synced', () => {
  expect(found([create(3, 'a')])).toEqual(new Set(['', 'a=']));
  expect(found([create(3, 'a'), folder, sync(1)])).toEqual(new Set(['a=']));
  expect(found([create(3, 'a'), sync(3)])).toEqual(new Set(['a=']));
});

it('finds a renamed file empty when it was not synced before: the old content is gone', () => {
  const before = [create(3, 'a'), write(3, 'old'), sync(3), folder, sync(1)];
  const replace = [create(4, 'a.new'), write(4, 'new'), rename('a.new', 'a')];
  expect(found([...before, ...replace])).toContain('a=');
  const synced = [create(4, 'a.new'), write(4, 'new'), sync(4), rename('a.new', 'a')];
  expect(found([...before, ...synced])).toEqual(new Set(['a.new=new a=old', 'a=new']));
  expect(found([...before, ...synced, sync(1)])).toEqual(new Set(['a=new']));
});

it('keeps the order of names within a folder, and between folders only on a journal', () => {
  const start = temporaryFolder('start');
  mkdirSync(path.join(start, 'b'));
  writeFileSync(path.join(start, 'x'), 'x');
  const within = found([create(3, 'a'), create(4, 'c')], start);
  expect(within).toEqual(new Set(['x=x', 'a= x=x', 'a= c= x=x']));
  // Moved to another folder: found there and gone here, or gone in both, or still in both.
  expect(found([rename('x', 'b/x')], start)).toEqual(new Set(['x=x', '']));
});

it('undoes what was made in a folder whose own name is not durable', () => {
  const log: LogEntry[] = [{ kind: 'mkdir', path: 'd' }, create(3, 'd/a'), opened(4, 'd')];
  const disk = new Disk();
  for (const entry of [...log, sync(4)]) disk.apply(entry);
  const image = path.join(temporaryFolder('image'), 'disk');
  freshImage(disk, image, seeded(1));
  expect(readdirSync(path.join(image, 'd'))).toEqual(['a']);
});

it('refuses a log with writes that it does not show, but for the index of a write-ahead log', () => {
  const disk = new Disk();
  disk.apply(create(3, 'a'));
  disk.apply(create(4, 'a-shm'));
  expect(() => disk.apply({ kind: 'unseen', path: 'a' })).toThrow(/does not show/);
  expect(() => disk.apply({ kind: 'unseen', path: 'a-shm' })).not.toThrow();
});
