/**
 * Goal: each bad input of issue 2 gets an answer that names place, value and what is allowed, and harms nothing else.
 * Method: one ingest process; every case is posted beside a good row; at the end the journal holds just the good ones.
 */
import { gzipSync } from 'node:zlib';
import { ChildProcess } from '@holdfast/testkit';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { aPost, IngestProcess } from './ingest-process.ts';

// Processes start slowly on a busy machine.
jest.setTimeout(120_000);

let ingest: IngestProcess;
const good = () => ({ asset: 'pump-1', t: Date.now(), values: { pressure: 1.5 } });

beforeAll(async () => {
  ingest = await IngestProcess.start();
});
afterAll(() => ChildProcess.killAll());

const firstRefused = (body: Record<string, unknown>) =>
  (body.refused as Record<string, unknown>[])[0];

describe('a bad row among good ones', () => {
  it.each([
    ['text as a number', { values: { pressure: 'high' } }, 'value-type', '[1].values.pressure'],
    ['an object as a number', { values: { pressure: {} } }, 'value-type', '[1].values.pressure'],
    ['a far future', { t: Date.UTC(2150, 0) }, 'time-future', '[1].t'],
    ['a far past', { t: Date.UTC(1999, 0) }, 'time-past', '[1].t'],
    ['a time that is no time', { t: 'noon' }, 'time-type', '[1].t'],
    ['a bad name', { asset: '../etc' }, 'asset-name', '[1].asset'],
    ['an unknown field', { colour: 'red' }, 'field-unknown', '[1].colour'],
  ])('%s is refused alone', async (_what, change, code, path) => {
    const body = JSON.stringify([good(), { ...good(), ...change }, good()]);
    const answer = await ingest.post({ body });
    expect(answer.status).toBe(202);
    expect(answer.body).toMatchObject({ accepted: 2, refusedCount: 1 });
    expect(firstRefused(answer.body)).toMatchObject({ row: 1, code, path });
    expect(firstRefused(answer.body)?.allowed).toMatch(/^(must|is) /);
  });
});

describe('a body without a good row', () => {
  it.each([
    ['NaN', '{"asset":"a","t":1,"values":{"p":NaN}}', 'json-syntax'],
    ['broken JSON', '{"asset":', 'json-syntax'],
    ['nothing', '', 'json-syntax'],
    ['a number', '5', 'shape'],
    ['1e999', `{"asset":"a","t":${Date.now()},"values":{"p":1e999}}`, 'value-not-finite'],
  ])('%s is answered with 400 and its place', async (_what, body, code) => {
    const answer = await ingest.post({ body });
    expect(answer.status).toBe(400);
    expect(answer.headers['content-type']).toMatch('application/problem+json');
    expect(answer.body).toMatchObject({ status: 400, accepted: 0 });
    expect(firstRefused(answer.body)).toMatchObject({ code });
  });

  it('an empty array is answered with 400', async () => {
    expect(await ingest.post({ body: '[]' })).toMatchObject({ status: 400 });
  });
});

describe('the request itself', () => {
  it('with an unknown content type gets 415', async () => {
    const answer = await ingest.post({ body: aPost(), type: 'text/plain' });
    expect(answer).toMatchObject({ status: 415 });
    expect(firstRefused(answer.body)).toMatchObject({ code: 'media-type', value: '"text/plain"' });
  });

  it('with an unknown query parameter gets 400 that names it', async () => {
    const answer = await ingest.post({ body: aPost(), query: '?zone=CET' });
    expect(answer.status).toBe(400);
    expect(firstRefused(answer.body)).toMatchObject({ path: 'query.zone', value: '"CET"' });
  });

  it('with 100 MB announced gets 413 before the body, and little memory is used', async () => {
    const before = (await ingest.status()).rssBytes as number;
    const answer = await ingest.post({ body: Buffer.alloc(100_000_000, 0x20) });
    expect(answer.status).toBe(413);
    expect(firstRefused(answer.body)).toMatchObject({
      code: 'body-too-large',
      value: '100000000 bytes',
      allowed: 'must be at most 8388608 bytes',
    });
    const after = (await ingest.status()).rssBytes as number;
    expect(after - before).toBeLessThan(50_000_000);
  });

  it('with 100 MB in chunks of unknown number gets 413', async () => {
    const answer = await ingest.post({
      body: Buffer.alloc(100_000_000, 0x20),
      headers: { 'transfer-encoding': 'chunked' },
    });
    expect(answer.status).toBe(413);
  });

  it('with a gzip bomb gets 413', async () => {
    const answer = await ingest.post({
      body: gzipSync(Buffer.alloc(100_000_000, 0x20)),
      headers: { 'content-encoding': 'gzip' },
    });
    expect(answer.status).toBe(413);
  });

  it('in gzip is read, and broken gzip gets 400', async () => {
    const headers = { 'content-encoding': 'gzip' };
    expect(await ingest.post({ body: gzipSync(aPost()), headers })).toMatchObject({ status: 202 });
    const broken = await ingest.post({ body: 'not gzip', headers });
    expect(broken.status).toBe(400);
    expect(firstRefused(broken.body)).toMatchObject({ code: 'body-encoding' });
  });

  it('as CSV and NDJSON names the line', async () => {
    const t = Date.now();
    const csv = await ingest.post({
      body: `asset,t,p\npump-1,${t},1\npump-1,${t},x\n`,
      type: 'text/csv',
    });
    expect(csv.body).toMatchObject({
      accepted: 1,
      refused: [{ line: 3, path: 'p', value: '"x"' }],
    });
    const ndjson = await ingest.post({
      body: `${JSON.stringify(good())}\n{oops\n`,
      type: 'application/x-ndjson',
    });
    expect(ndjson.body).toMatchObject({ accepted: 1, refused: [{ line: 2, code: 'json-syntax' }] });
  });
});

it('whatever JSON comes, the answer is 202 or 400 and its counts add up', async () => {
  const item = fc.oneof(
    fc.jsonValue(),
    fc.record(
      {
        asset: fc.string(),
        t: fc.constant(Date.now()),
        values: fc.dictionary(fc.string(), fc.double()),
      },
      { requiredKeys: [] },
    ),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(item, { minLength: 1, maxLength: 4 }), async (items) => {
      const body = JSON.stringify(items);
      const answer = await ingest.post({ body });
      expect([202, 400]).toContain(answer.status);
      const { accepted, refusedCount } = answer.body as { accepted: number; refusedCount: number };
      expect(accepted + refusedCount).toBeGreaterThanOrEqual(items.length);
    }),
    { numRuns: 150 },
  );
});

it('refused rows are counted by reason and can be looked at', async () => {
  await ingest.post({ body: JSON.stringify({ ...good(), t: 'never' }) });
  const status = await ingest.status();
  expect(status.refused).toMatchObject({ 'time-type': expect.any(Number) });
  expect(status.accountsHold).toBe(true);
  const { rejects } = (await ingest.get('/v1/rejects')).body as { rejects: unknown[] };
  expect(rejects[0]).toMatchObject({
    source: 'http',
    code: 'time-type',
    path: 't',
    value: '"never"',
    timeMs: expect.any(Number),
  });
  const metrics = String((await ingest.get('/metrics', null)).body.text);
  expect(metrics).toMatch(/holdfast_ingest_refused_total\{source="http",code="time-type"\} [1-9]/);
  expect(metrics).toMatch(/holdfast_ingest_accounts_hold 1/);
});

it('keeps the last thousand refused rows', async () => {
  const rows = Array.from({ length: 99 }, () => 'x');
  for (let posts = 0; posts < 12; posts += 1) await ingest.post({ body: JSON.stringify(rows) });
  const { rejects } = (await ingest.get('/v1/rejects')).body as { rejects: unknown[] };
  expect(rejects).toHaveLength(1000);
});

it('after all of that the journal holds every accepted reading and nothing else', async () => {
  const { accepted } = (await ingest.status()) as { accepted: number };
  expect(await ingest.child.stop()).toMatchObject({ code: 0 });
  const rows = await ingest.journalRows();
  expect(rows).toHaveLength(accepted);
});
