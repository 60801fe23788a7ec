/** The process that the test of the shim watches: does one thing in a folder and prints what became of it. */
import fs from 'node:fs';
import { open, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import Database from 'better-sqlite3';

const [action, folder] = process.argv.slice(2) as [string, string];
const at = (name: string): string => path.join(folder, name);

function codeOf(work: () => void): string {
  try {
    work();
    return 'ok';
  } catch (error) {
    return String((error as { code?: unknown }).code);
  }
}

const syncFolder = (name: string): void => {
  const file = fs.openSync(at(name), 'r');
  fs.fsyncSync(file);
  fs.closeSync(file);
};

function files(): void {
  fs.writeFileSync(path.join(folder, '../elsewhere'), 'not of the folder');
  fs.mkdirSync(at('sub'));
  const file = fs.openSync(at('sub/../sub//a.new'), 'w');
  fs.writeSync(file, 'hello');
  fs.writeSync(file, ' world');
  fs.writeSync(file, 'LL', 2);
  fs.writevSync(file, [Buffer.from('one'), Buffer.from('two')], 11);
  fs.ftruncateSync(file, 12);
  fs.fsyncSync(file);
  fs.fdatasyncSync(file);
  fs.closeSync(file);
  fs.renameSync(at('sub/a.new'), at('sub/a'));
  syncFolder('sub');
  process.chdir(at('sub'));
  fs.appendFileSync('b', 'first');
  fs.appendFileSync('b', ' second');
  fs.closeSync(fs.openSync('b', 'w'));
  fs.linkSync('a', 'c');
  fs.copyFileSync('a', 'd');
  for (const name of ['b', 'a', 'c', 'd']) fs.rmSync(name);
  process.chdir('/');
  fs.rmSync(at('sub'), { recursive: true });
}

async function threads(): Promise<void> {
  const source = `
    const fs = require('node:fs');
    const { workerData: { file, name } } = require('node:worker_threads');
    for (let line = 0; line < 50; line += 1) fs.appendFileSync(file, name + '-' + (100 + line));`;
  const workers = ['t0', 't1', 't2'].map(
    (name) => new Worker(source, { eval: true, workerData: { file: at(name), name } }),
  );
  const file = await open(at('t3'), 'a');
  for (let line = 0; line < 50; line += 1) await file.write(`t3-${100 + line}`);
  await file.close();
  await Promise.all(
    workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve))),
  );
  await writeFile(at('last'), 'x');
}

function sqlite(): void {
  const db = new Database(at('a.db'));
  db.pragma('locking_mode = EXCLUSIVE');
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.exec('CREATE TABLE a (b)');
  for (let row = 0; row < 10; row += 1)
    db.prepare('INSERT INTO a VALUES (?)').run('x'.repeat(9000));
  db.pragma('wal_checkpoint(PASSIVE)');
  db.prepare('DELETE FROM a WHERE rowid < 5').run();
  // Not closed: the files stay as they are.
}

function endless(): void {
  const file = fs.openSync(at('endless'), 'w');
  for (let line = 1; ; line += 1) {
    fs.writeSync(file, String(line).padEnd(5, '.'), (line - 1) * 5 + 5);
    fs.fsyncSync(file);
    fs.writeSync(1, `line ${line}\n`);
  }
}

function writes(): string {
  const said = ['x', 'y'].map((name) => {
    const file = fs.openSync(at(name), 'w');
    return [name, ...[1, 2, 3, 4, 5].map(() => codeOf(() => void fs.writeSync(file, 'a')))];
  });
  return said.flat().join(' ');
}

/** One operation of each kind; says which one failed. */
function each(): string {
  fs.mkdirSync(at('sub'));
  let file = 0;
  const failed = Object.entries({
    open: () => {
      file = fs.openSync(at('f'), 'w');
    },
    sync: () => fs.fsyncSync(file),
    truncate: () => fs.ftruncateSync(file, 3),
    rename: () => fs.renameSync(at('f'), at('g')),
    unlink: () => fs.unlinkSync(at('g')),
  }).map(([name, work]) => `${name} ${codeOf(work)}`);
  return failed.filter((line) => /EIO|ENOSPC/.test(line)).join(', ');
}

/** Each 20 ms a line: how many minutes the wall clock has moved, both clocks, result and duration of a sync. */
function clock(): void {
  const file = fs.openSync(at('f'), 'w');
  setInterval(() => {
    const started = performance.now();
    const result = codeOf(() => fs.fsyncSync(file));
    const ms = Math.round(performance.now() - started);
    const wall = Date.now();
    const moved = Math.round((wall - performance.timeOrigin - performance.now()) / 60_000);
    console.log(`${moved} ${wall} ${performance.now()} ${result} ${ms} ms`);
  }, 20);
}

function dates(): string {
  const { year } = new Database(':memory:').prepare("SELECT strftime('%Y') AS year").get() as {
    year: string;
  };
  const worker = `require('node:worker_threads').parentPort.postMessage(new Date().getUTCFullYear())`;
  new Worker(worker, { eval: true }).once('message', (ofWorker) => {
    const shown = [
      new Date().getUTCFullYear(),
      new Date(Date.now()).getUTCFullYear(),
      year,
      ofWorker,
    ];
    console.log(shown.join(' '));
  });
  return '';
}

function mapped(): void {
  const db = new Database(at('a.db'));
  db.pragma('journal_mode = WAL');
  db.exec('CREATE TABLE a (b)');
}

const bootId = (): string => fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();

const actions: Record<string, () => unknown> = {
  ...{ files, threads, sqlite, endless, writes, each, clock, dates, mapped, bootId },
};
const said = await actions[action]!();
if (action !== 'clock' && said !== '') console.log(said ?? 'done');
if (action === 'sqlite') process.kill(process.pid, 'SIGKILL');
