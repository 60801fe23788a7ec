/**
 * Goal: `npm run model -- push` and `pull` bring a bundle from one folder to another by any way, say ref and digest as
 * a twin names them, and end with the exit codes that scripts rely on. Method: the commands in this process, on the
 * bundle of the pump loop.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@holdfast/testkit';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { run } from '../../../scripts/model/run.ts';
import { type FileServer, serveFiles } from './file-server.ts';

const PUMP_LOOP = 'scenarios/pump-loop/bundle';
let into: string;
let server: FileServer;
beforeEach(async () => {
  into = temporaryFolder('store');
  server = await serveFiles();
  // As a server that takes what is put, for whoever has the password.
  server.misbehave = (request, response, path) => {
    if (request.headers.authorization === undefined) {
      response.writeHead(401).end();
      return true;
    }
    if (request.method !== 'PUT') return false;
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      server.files.set(path, Buffer.concat(pieces));
      response.writeHead(201).end();
    });
    return true;
  };
});
afterEach(() => server.close());

async function model(args: string[], environment: Record<string, string> = {}) {
  let out = '';
  let error = '';
  const code = await run(args, {
    out: (line) => {
      out += `${line}\n`;
    },
    error: (line) => {
      error += `${line}\n`;
    },
    redraw: undefined,
    environment,
  });
  return { code, out, error };
}

describe('push and pull', () => {
  it('bring a bundle to a stick and from there, by its digest', async () => {
    const stick = temporaryFolder('stick');
    const pushed = await model(['push', PUMP_LOOP, stick, '--json']);
    expect(pushed.code).toBe(0);
    const { ref, digest } = JSON.parse(pushed.out) as { ref: string; digest: string };
    expect(ref).toContain(join(stick, 'pump-loop-1.0.0-'));
    const pulled = await model(['pull', stick, '--into', into, '--digest', digest]);
    expect(pulled).toMatchObject({ code: 0, error: '' });
    expect(pulled.out).toContain(join(into, digest.replace(':', '-')));
    expect(pulled.out).toContain('pump-loop 1.0.0');
  });

  it('bring a bundle to a web server and from there, with credentials from a file or the environment', async () => {
    const ref = `${server.origin}/pump/`;
    const text = JSON.stringify({
      [`127.0.0.1:${server.port}`]: { username: 'u', password: 'geheim' },
    });
    const file = join(temporaryFolder('secrets'), 'credentials.json');
    writeFileSync(file, text);
    const pushed = await model(['push', PUMP_LOOP, ref, '--credentials', file]);
    expect(pushed).toMatchObject({ code: 0, error: '' });
    expect(pushed.out).toContain(`ref     ${ref}`);
    expect([...server.files.keys()].at(-1)).toBe('/pump/model.json');
    const pulled = await model(['pull', ref, '--into', into], { HOLDFAST_MODEL_CREDENTIALS: text });
    expect(pulled).toMatchObject({ code: 0, error: '' });
    const refused = await model(['pull', ref, '--into', temporaryFolder('store')]);
    expect(refused).toMatchObject({ code: 3, out: '' });
    expect(refused.error).toContain('SOURCE_DENIED');
  });

  it('end with 1 for what is unfit, 2 for a wrong command line, 3 for what may work later', async () => {
    const wrong = `sha256:${'a'.repeat(64)}`;
    const codes = [
      await model(['pull', PUMP_LOOP, '--into', into, '--digest', wrong]),
      await model(['pull', 'ftp://host/x', '--into', into]),
      await model(['pull', PUMP_LOOP]),
      await model(['push', PUMP_LOOP]),
      await model(['pull', join(into, 'nothing'), '--into', into]),
    ];
    expect(codes.map(({ code }) => code)).toEqual([1, 1, 2, 2, 3]);
    expect(codes[0]?.error).toContain(wrong);
  });
});
