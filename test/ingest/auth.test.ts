/**
 * Goal: nobody gets in without the token, and ingest does not start open by accident.
 * Method: real processes with different environments.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ChildProcess, freePort, temporaryFolder } from '@holdfast/testkit';
import { afterAll, describe, expect, it, jest } from '@jest/globals';
import { aPost, environmentOf, IngestProcess } from './ingest-process.ts';

// Processes start slowly on a busy machine.
jest.setTimeout(120_000);

afterAll(() => ChildProcess.killAll());

const MAIN = join(process.cwd(), 'modules/ingest/src/main.ts');

describe('the bearer token', () => {
  it('is asked for on every path of the API, and failures are limited', async () => {
    const ingest = await IngestProcess.start();
    const none = await ingest.post({ body: aPost(), token: null });
    expect(none).toMatchObject({ status: 401, body: { status: 401 } });
    expect(none.headers['www-authenticate']).toMatch(/^Bearer realm="holdfast"$/);
    const wrong = await ingest.post({ body: aPost(), token: 'another-token-entirely' });
    expect(wrong.headers['www-authenticate']).toMatch('error="invalid_token"');
    expect((await ingest.get('/v1/rejects', null)).status).toBe(401);
    expect((await ingest.get('/v1/receipts/x', null)).status).toBe(401);
    expect((await ingest.get('/healthz', null)).status).toBe(200);

    const statuses: number[] = [];
    for (let tries = 0; tries < 8; tries += 1) {
      statuses.push((await ingest.post({ body: aPost(), token: null })).status);
    }
    expect(statuses).toEqual([401, 401, 401, 401, 401, 401, 429, 429]);
    const limited = await ingest.post({ body: aPost(), token: null });
    expect(Number(limited.headers['retry-after'])).toBeGreaterThan(0);
    // A good source behind the same address goes on.
    expect((await ingest.post({ body: aPost() })).status).toBe(202);
    expect((await ingest.status()).accepted).toBe(1);
    await ingest.child.kill();
  });

  it('can come from a file', async () => {
    const file = join(temporaryFolder(), 'token');
    writeFileSync(file, 'a-token-from-a-file\n');
    const ingest = await IngestProcess.start({
      env: { HOLDFAST_HTTP_TOKEN: '', HOLDFAST_HTTP_TOKEN_FILE: file },
    });
    expect((await ingest.post({ body: aPost() })).status).toBe(401);
    expect((await ingest.post({ body: aPost(), token: 'a-token-from-a-file' })).status).toBe(202);
    await ingest.child.kill();
  });
});

describe('ingest does not start', () => {
  const refusal = async (env: Record<string, string>): Promise<string> => {
    const folder = temporaryFolder();
    const child = ChildProcess.start(MAIN, {
      env: { ...environmentOf(folder, await freePort()), ...env },
    });
    expect(await child.exited).toMatchObject({ code: 78 });
    return child.output;
  };

  it('without a token', async () => {
    expect(await refusal({ HOLDFAST_HTTP_TOKEN: '' })).toMatch('HOLDFAST_HTTP_TOKEN: is missing');
  });

  it('with a short token, which it does not print', async () => {
    const output = await refusal({ HOLDFAST_HTTP_TOKEN: 'geheim' });
    expect(output).toMatch('HOLDFAST_HTTP_TOKEN');
    expect(output).not.toMatch('geheim');
  });

  it('without authentication where others can reach it', async () => {
    const env = {
      HOLDFAST_HTTP_TOKEN: '',
      HOLDFAST_HTTP_AUTH: 'none',
      HOLDFAST_HTTP_HOST: '0.0.0.0',
    };
    expect(await refusal(env)).toMatch('HOLDFAST_HTTP_AUTH: none is not allowed');
  });
});

it('ingest starts without a token on loopback when told to', async () => {
  const ingest = await IngestProcess.start({
    env: { HOLDFAST_HTTP_TOKEN: '', HOLDFAST_HTTP_AUTH: 'none' },
  });
  expect((await ingest.post({ body: aPost(), token: null })).status).toBe(202);
  await ingest.child.kill();
});
