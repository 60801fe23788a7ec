/**
 * Goal: the layer under the fault tests sees everything that changes the disk, makes fail what it is told to, and
 * moves the wall clock only. Method: a real Node process on it, driven line by line, and SQLite in that process.
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ChildProcess, temporaryFolder } from '@holdfast/testkit';
import { afterAll, beforeEach, expect, it } from '@jest/globals';
import { type LogEntry, readLog } from './log.ts';
import { ShimControl, type ShimOptions, shimEnvironment, shimUnavailable } from './shim.ts';

const SUBJECT = path.join(import.meta.dirname, 'testing/shim-subject.ts');
const test = shimUnavailable() === undefined ? it : it.skip;

let root: string;
let folder: string;
beforeEach(() => {
  root = temporaryFolder('shim');
  folder = path.join(root, 'disk');
  mkdirSync(folder);
});
afterAll(() => ChildProcess.killAll());

/** Runs one action of the subject; gives what it printed. */
async function run(action: string, options: Omit<ShimOptions, 'folder'> = {}): Promise<string> {
  const child = ChildProcess.start(SUBJECT, {
    args: [action, folder],
    env: shimEnvironment({ folder, ...options }),
  });
  await child.exited;
  return child.output.trim();
}

async function recorded(action: string): Promise<LogEntry[]> {
  const record = path.join(root, 'log');
  expect(await run(action, { record })).toBe('done');
  return readLog(record).map(({ entry }) => entry);
}

/** Without descriptors, as `kind name detail`; only what changes the disk. */
function plain(entries: readonly LogEntry[]): string[] {
  const names = new Map<number, string>();
  return entries.flatMap((entry): string[] => {
    if (entry.kind === 'open') {
      names.set(entry.fd, entry.path);
      if (entry.created) return [`create ${entry.path}`];
      return entry.truncated ? [`empty ${entry.path}`] : [];
    }
    const name = 'fd' in entry ? names.get(entry.fd) : '';
    if (entry.kind === 'write') return [`write ${name} ${entry.offset} ${entry.data}`];
    if (entry.kind === 'sync') return [`sync ${name}`];
    if (entry.kind === 'truncate') return [`truncate ${name} ${entry.size}`];
    if (entry.kind === 'output') return [`output ${String(entry.data).trim()}`];
    if (entry.kind === 'close') return [];
    return [`${entry.kind} ${'path' in entry ? entry.path : `${entry.from} ${entry.to}`}`];
  });
}

test('records what changes files and names, in order, and nothing of other folders', async () => {
  expect(plain(await recorded('files'))).toEqual([
    'mkdir sub',
    'create sub/a.new',
    'write sub/a.new 0 hello',
    'write sub/a.new 5  world',
    'write sub/a.new 2 LL',
    'write sub/a.new 11 onetwo',
    'truncate sub/a.new 12',
    'sync sub/a.new',
    'sync sub/a.new',
    'rename sub/a.new sub/a',
    'sync sub',
    'create sub/b',
    'write sub/b 0 first',
    'write sub/b 5  second',
    'empty sub/b',
    'link sub/a sub/c',
    'create sub/d',
    'truncate sub/d 0',
    'write sub/d 0 heLLo worldo',
    'unlink sub/b',
    'unlink sub/a',
    'unlink sub/c',
    'unlink sub/d',
    'rmdir sub',
    'output done',
  ]);
});

test('gives a recorded run a boot id of its own', async () => {
  const own = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  expect(await run('bootId')).toBe(own);
  const other = await run('bootId', { record: path.join(root, 'log') });
  expect(other).toMatch(/^[0-9a-f-]{36}$/);
  expect(other).not.toBe(own);
});

test('records writes of worker threads and of promises', async () => {
  const names = plain(await recorded('threads'));
  for (let thread = 0; thread < 4; thread += 1) {
    for (let line = 0; line < 50; line += 1) {
      expect(names).toContain(`write t${thread} ${line * 6} t${thread}-${100 + line}`);
    }
  }
});

test('records the writes of SQLite so that they give its files again', async () => {
  const files = new Map<string, Buffer>();
  const names = new Map<number, string>();
  const entries = await recorded('sqlite');
  for (const entry of entries) {
    if (entry.kind === 'open') names.set(entry.fd, entry.path);
    if (entry.kind === 'unlink') files.delete(entry.path);
    if (entry.kind !== 'write') continue;
    const name = names.get(entry.fd)!;
    const before = files.get(name) ?? Buffer.alloc(0);
    const after = Buffer.alloc(Math.max(before.length, entry.offset + entry.data.length));
    before.copy(after);
    entry.data.copy(after, entry.offset);
    files.set(name, after);
  }
  expect([...files.keys()]).toContain('a.db-wal');
  for (const name of ['a.db', 'a.db-wal']) {
    expect(readFileSync(path.join(folder, name)).equals(files.get(name)!)).toBe(true);
  }
  expect(plain(entries).filter((line) => line === 'sync a.db-wal').length).toBeGreaterThan(9);
});

test('has everything in the log that was done before an output, also after SIGKILL', async () => {
  const record = path.join(root, 'log');
  const child = ChildProcess.start(SUBJECT, {
    args: ['endless', folder],
    env: shimEnvironment({ folder, record }),
  });
  await child.line(/^line 100$/);
  await child.kill();
  const lines = plain(readLog(record).map(({ entry }) => entry));
  const at = lines.indexOf('output line 100');
  expect(lines.slice(at - 2, at)).toEqual(['write endless 500 100..', 'sync endless']);
});

test('makes the n-th operation on the named file fail, once or from then on', async () => {
  const failure = { operation: 'write', nth: 3, errno: 'ENOSPC', path: '/x' } as const;
  expect(await run('writes', { failure: { ...failure, lasting: false } })).toBe(
    'x ok ok ENOSPC ok ok y ok ok ok ok ok',
  );
  expect(await run('writes', { failure: { ...failure, lasting: true } })).toBe(
    'x ok ok ENOSPC ENOSPC ENOSPC y ok ok ok ok ok',
  );
});

test.each([
  ['sync', 'EIO'],
  ['truncate', 'EIO'],
  ['open', 'ENOSPC'],
  ['rename', 'ENOSPC'],
  ['unlink', 'EIO'],
] as const)('makes %s fail with %s', async (operation, errno) => {
  const control = ShimControl.create(path.join(root, 'control'));
  control.set({ failure: { operation, nth: 1, errno, lasting: true } });
  const options = { control: path.join(root, 'control') };
  const failure = { operation, nth: 1, errno, lasting: true };
  expect(await run('each', { ...options, failure })).toBe(`${operation} ${errno}`);
  expect(control.counts().failed).toBe(1);
});

test('changes delay, failure and wall clock of a running process, not its monotonic clock', async () => {
  const file = path.join(root, 'control');
  const control = ShimControl.create(file);
  const child = ChildProcess.start(SUBJECT, {
    args: ['clock', folder],
    env: shimEnvironment({ folder, control: file }),
  });
  const hours = 5 * 3_600_000;
  const shown = async (offset: number): Promise<{ wallMs: number; monotonicMs: number }> => {
    const line = (await child.line(new RegExp(`^${offset / 60_000} `))).split(' ').map(Number);
    return { wallMs: line[1]!, monotonicMs: line[2]! };
  };
  const first = await shown(0);
  control.set({ wallOffsetMs: hours });
  const later = await shown(hours);
  control.set({ wallOffsetMs: -hours });
  const earlier = await shown(-hours);
  expect(later.wallMs - first.wallMs).toBeGreaterThan(hours - 1_000);
  expect(earlier.monotonicMs - first.monotonicMs).toBeGreaterThan(0);
  expect(earlier.monotonicMs - first.monotonicMs).toBeLessThan(60_000);
  const before = control.counts().syncs;
  control.set({ failure: { operation: 'sync', nth: 1, errno: 'EIO', lasting: true } });
  await child.line('EIO');
  control.set({ failure: null, syncDelayMs: 30 });
  const slow = await child.line(/ (3\d|[4-9]\d|\d{3,}) ms$/);
  expect(slow).toBeDefined();
  expect(control.counts().syncs).toBeGreaterThan(before);
  await child.kill();
});

test('shows dates of another time in all ways that Node has', async () => {
  const wallOffsetMs = Date.UTC(1971, 0, 1) - Date.now();
  expect(await run('dates', { wallOffsetMs })).toBe('1971 1971 1971 1971');
});

test('says when a file is written in a way that cannot be seen', async () => {
  const entries = await recorded('mapped');
  expect(plain(entries).filter((line) => line.startsWith('unseen'))).toEqual(['unseen a.db-shm']);
  expect(existsSync(path.join(folder, 'a.db'))).toBe(true);
});
