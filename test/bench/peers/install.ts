import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Runs a program to its end and returns what it printed. @throws Error with its last words when it fails */
export function must(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: Readonly<Record<string, string>> } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    let errors = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr.on('data', (chunk) => {
      errors += chunk;
    });
    child.once('error', (error) => reject(new Error(`${command}: ${error.message}`)));
    child.once('close', (code) => {
      if (code === 0) resolve(output);
      else
        reject(
          new Error(`${command} ${args[0] ?? ''} ended with ${code}: ${errors.slice(-600).trim()}`),
        );
    });
  });
}

/**
 * Installs into `cache/name` unless the same pins are installed there already, so that a second run starts at once.
 * `pins` are files whose text decides, or plain text.
 */
export async function installOnce(
  { cache, name, pins }: { cache: string; name: string; pins: readonly string[] },
  install: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = path.join(cache, name);
  const stamp = path.join(cache, `${name}.installed`);
  const wanted = pins.map((pin) => readText(pin) ?? pin).join('\n');
  if (readText(stamp) === wanted) return;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await install(folder);
  writeFileSync(stamp, wanted);
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
