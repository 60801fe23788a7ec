import { cpSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@holdfast/testkit';
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Terminal } from './command.ts';
import { COMMANDS } from './commands.ts';
import { Progress } from './progress.ts';
import { run } from './run.ts';

const PUMP_LOOP = join(process.cwd(), 'scenarios/pump-loop/bundle');
let folder: string;
let bundle: string;
beforeEach(() => {
  folder = temporaryFolder('model');
  bundle = join(folder, 'pump-loop');
  cpSync(PUMP_LOOP, bundle, { recursive: true });
});

interface Told {
  code: number;
  out: string;
  error: string;
}
async function model(
  line: string | string[],
  environment: Record<string, string> = {},
): Promise<Told> {
  const out: string[] = [];
  const error: string[] = [];
  const terminal: Terminal = {
    out: (text) => out.push(text),
    error: (text) => error.push(text),
    redraw: undefined,
    environment,
  };
  const code = await run(typeof line === 'string' ? line.split(' ') : line, terminal);
  return { code, out: out.join('\n'), error: error.join('\n') };
}
/** Makes a key pair; paths of the private and the public half. */
async function keys(name = 'key', environment = {}): Promise<[string, string]> {
  const file = join(folder, name);
  expect((await model(['keygen', file], environment)).code).toBe(0);
  return [`${file}.pem`, `${file}.pub.pem`];
}

describe('npm run model', () => {
  it('tells all commands, and each command its own help', async () => {
    const { out, code } = await model('--help');
    expect(code).toBe(0);
    for (const command of COMMANDS) {
      expect(out).toMatch(new RegExp(`^  ${command.name} +${command.summary}$`, 'm'));
      for (const line of [
        [command.name, '--help'],
        ['help', command.name],
      ]) {
        const told = await model(line);
        expect(told.code).toBe(0);
        expect(told.out).toContain(`Usage: npm run model -- ${command.name} `);
        expect(told.out).toContain(command.help);
      }
      // Every option is in the help.
      for (const option of Object.keys(command.options)) {
        expect([command.name, command.help]).toEqual([
          command.name,
          expect.stringContaining(`--${option}`),
        ]);
      }
    }
  });

  it.each([
    ['', 'There is no command ""'],
    ['sing', 'There is no command "sing". There are: '],
    ['verify', 'takes 1 arguments, not 0'],
    ['verify a b', 'takes 1 arguments, not 2'],
    ['verify a --kee b', "Unknown option '--kee'"],
    ['verify a --key', "--key <value>' argument missing"],
    ['sign a', 'needs --key'],
    ['pack a --golden many', '--golden must be a whole number from 1 to 1000, not many'],
  ])('answers "%s" with what is wrong and exit code 2', async (line, words) => {
    const { code, error } = await model(line);
    expect(error).toContain(words);
    expect(code).toBe(2);
  });

  it('tells a file that is not there as a failure, exit code 3', async () => {
    const { code, error } = await model(`sign ${bundle} --key /not/there.pem`);
    expect(code).toBe(3);
    expect(error).toMatch(/^model sign failed: ENOENT/);
  });

  it('tells a refusal with its code, and as JSON where that is asked for', async () => {
    rmSync(join(bundle, 'golden.json'));
    expect(await model(`verify ${bundle}`)).toMatchObject({
      code: 1,
      error: `BUNDLE_FILE_MISSING: golden.json is missing in ${bundle}`,
    });
    writeFileSync(join(bundle, 'golden.json'), '{}');
    const told = await model(`verify ${bundle} --json`);
    expect(told.code).toBe(1);
    expect(JSON.parse(told.out)).toMatchObject({
      error: { code: 'BUNDLE_DIGEST', problems: [{ path: 'files["golden.json"]' }] },
    });
  });
});

describe('keys, signatures and what they say', () => {
  it('go from keygen over sign to verify and inspect', async () => {
    const [privateKey, publicKey] = await keys();
    expect(statSync(privateKey).mode & 0o777).toBe(0o600);
    const signed = await model(`sign ${bundle} --key ${privateKey}`);
    expect(signed).toMatchObject({ code: 0, error: '' });
    const id = /signed by (sha256:[0-9a-f]{64})/.exec(signed.out)?.[1];
    const verified = await model(`verify ${bundle} --key ${publicKey} --json`);
    expect(JSON.parse(verified.out)).toMatchObject({ name: 'pump-loop', signedBy: id });
    expect((await model(`inspect ${bundle} --key ${publicKey}`)).out).toContain(`holds, by ${id}`);
    expect((await model(`inspect ${bundle}`)).out).toContain(`says it is by ${id} (not checked`);
  });

  it('refuse an unsigned bundle as soon as a key is given, unless told otherwise', async () => {
    const [, publicKey] = await keys();
    expect((await model(`verify ${bundle} --key ${publicKey}`)).error).toContain('BUNDLE_UNSIGNED');
    expect((await model(`verify ${bundle} --key ${publicKey} --unsigned`)).code).toBe(0);
  });

  it('are never overwritten', async () => {
    const [privateKey] = await keys();
    const before = readFileSync(privateKey, 'utf8');
    expect((await model(['keygen', privateKey])).code).toBe(3);
    expect(readFileSync(privateKey, 'utf8')).toBe(before);
  });

  it('open with the passphrase from the environment or a file, and else say why not', async () => {
    const secret = { HOLDFAST_KEY_PASSPHRASE: 'a secret' };
    const [privateKey] = await keys('closed', secret);
    expect(readFileSync(privateKey, 'utf8')).toContain('ENCRYPTED');
    const file = join(folder, 'passphrase');
    writeFileSync(file, 'a secret\n');
    const line = `sign ${bundle} --key ${privateKey}`;
    expect((await model(line, secret)).code).toBe(0);
    expect((await model(`${line} --passphrase-file ${file}`)).code).toBe(0);
    expect(await model(line)).toMatchObject({
      code: 1,
      error: 'KEY_PASSPHRASE: the key is encrypted, and no passphrase was given',
    });
    expect(await model(line, { HOLDFAST_KEY_PASSPHRASE: 'wrong' })).toMatchObject({
      code: 1,
      error: 'KEY_PASSPHRASE: the passphrase does not open the key',
    });
    expect((await model(`${line} --passphrase-file ${file}`, secret)).error).toContain('take one');
  });

  it('are refused where the other half belongs', async () => {
    const [privateKey, publicKey] = await keys();
    expect((await model(`sign ${bundle} --key ${publicKey}`)).error).toContain('KEY_KIND');
    expect((await model(`verify ${bundle} --key ${privateKey}`)).error).toContain('KEY_KIND');
    expect((await model(`sign ${bundle} --key ${join(bundle, 'README.md')}`)).error).toContain(
      'KEY_FORMAT',
    );
  });
});

describe('inspect', () => {
  it('shows a person what the bundle is', async () => {
    const { out } = await model(`inspect ${bundle}`);
    for (const words of [
      'model        pump-loop 1.0.0',
      'signature    none',
      'input        window, 12 rows of 8 signals, 1000 ms apart',
      'levels       warning 2.19, alarm 3.43',
      'parameters   1,115 (4.79 kB)',
      'signals      Accelerometer1RMS    g         0 to 50',
    ]) {
      expect(out).toContain(words);
    }
  });

  it('shows a program the same as JSON', async () => {
    const { out } = await model(`inspect ${bundle} --json`);
    expect(JSON.parse(out)).toMatchObject({
      identity: { name: 'pump-loop' },
      model: { irVersion: 9, opsets: { '': 17 }, nodes: 39, graphDepth: 1 },
      goldenCases: 8,
      signature: null,
    });
  });
});

describe('progress', () => {
  const told = (redraw: boolean, times: number[]): string[] => {
    const lines: string[] = [];
    let now = 0;
    const terminal: Terminal = {
      out: () => undefined,
      error: (line) => lines.push(line),
      redraw: redraw ? (line) => lines.push(`\r${line}`) : undefined,
      environment: {},
    };
    const progress = new Progress(terminal, () => now);
    for (const time of times) {
      now = time;
      progress.tell('pull', time * 1_000, 20_000_000);
    }
    progress.end();
    return lines;
  };

  it('is a line every ten seconds in a log, and a line that changes on a terminal', () => {
    expect(told(false, [50, 9_999, 10_000, 10_001, 20_000])).toEqual([
      'pull: 50 % of 20.0 MB',
      'pull: 100 % of 20.0 MB',
    ]);
    expect(told(true, [50, 100, 150, 10_000])).toEqual([
      '\rpull: 0 % of 20.0 MB',
      '\rpull: 50 % of 20.0 MB',
      '\r',
    ]);
  });
});
