import { spawnSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const REQUIREMENTS = path.join(process.cwd(), 'test/inference/referees/requirements.txt');

/** Two minutes at a slow line; without a network pip gives up after a few seconds. */
const INSTALL_MS = 240_000;
const LOCK_POLL_MS = 200;

/** The interpreter with every package of requirements.txt, or why there is none, as a sentence. */
export type Referees = { python: string; missing?: never } | { python?: never; missing: string };

/**
 * Makes the virtual environment of the referees where it is not there yet: once for each state of requirements.txt,
 * in the folder that HOLDFAST_REFEREES names, else in the system's temporary folder. Blocks while it installs, because
 * jest must know at once which tests there are: half a minute the first time, nothing afterwards. Several processes
 * may call it together.
 */
export function referees(): Referees {
  const pins = readFileSync(REQUIREMENTS, 'utf8');
  const named = process.env.HOLDFAST_REFEREES || undefined;
  const folder =
    named ?? path.join(tmpdir(), `holdfast-referees-${process.getuid?.()}-${digestOf(pins)}`);
  const python = path.join(folder, 'bin', 'python');
  const stamp = path.join(folder, 'installed.txt');
  if (readText(stamp) === pins && isOwn(folder)) return { python };
  let release = (): void => {};
  try {
    release = lock(`${folder}.lock`);
    if (readText(stamp) !== pins || !isOwn(folder)) install(folder, python);
    writeFileSync(stamp, pins);
    return { python };
  } catch (error) {
    return { missing: `the referees are not installed: ${(error as Error).message}` };
  } finally {
    release();
  }
}

function install(folder: string, python: string): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  run(['python3', '-m', 'venv', folder], 'Debian has it in the package python3-venv');
  const pip = [python, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
  run(
    [...pip, '--retries', '1', '--timeout', '15', '-r', REQUIREMENTS],
    'it needs PyPI or a mirror of it',
  );
}

function run([command, ...args]: string[], hint: string): void {
  const { status, error, stderr } = spawnSync(command!, args, {
    timeout: INSTALL_MS,
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  if (error === undefined && status === 0) return;
  const words = error?.message ?? stderr.trim().split('\n').slice(-1)[0];
  throw new Error(`${path.basename(command!)} ${args.slice(0, 2).join(' ')}: ${words} (${hint})`);
}

/** A folder in a temporary directory that somebody else has made must not be executed. */
function isOwn(folder: string): boolean {
  try {
    const found = lstatSync(folder);
    return found.isDirectory() && found.uid === process.getuid?.();
  } catch {
    return false;
  }
}

/** One process at a time; a lock whose holder has ended is taken over. */
function lock(file: string): () => void {
  mkdirSync(path.dirname(file), { recursive: true });
  for (;;) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      return () => rmSync(file, { force: true });
    } catch (error) {
      if ((error as { code?: string }).code !== 'EEXIST') throw error;
    }
    const holder = Number(readText(file));
    if (holder > 0 && !isAlive(holder)) rmSync(file, { force: true });
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_POLL_MS);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM';
  }
}

const digestOf = (text: string): string => hash('sha256', text, 'hex').slice(0, 12);

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
