/**
 * Goal: a 202 is a promise. After SIGKILL at any moment every acknowledged reading is in the journal exactly once,
 * a repeat under the same idempotency key adds nothing, and sequence numbers have no hole.
 * Method: real processes killed under load; the journal is read from the disk afterwards.
 */
import { writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { ChildProcess, until } from '@holdfast/testkit';
import { afterAll, describe, expect, it, jest } from '@jest/globals';
import { aPost, IngestProcess, TOKEN } from './ingest-process.ts';

// Processes start slowly on a busy machine.
jest.setTimeout(120_000);

afterAll(() => ChildProcess.killAll());

describe('SIGKILL under load', () => {
  it('loses and doubles nothing that was acknowledged', async () => {
    let ingest = await IngestProcess.start();
    const { folder } = ingest;
    const acknowledged = new Set<number>();
    const unsure = new Set<number>();
    let next = 0;
    for (let round = 0; round < 3; round += 1) {
      const before = acknowledged.size;
      const current = ingest;
      let alive = true;
      const client = async (): Promise<void> => {
        while (alive) {
          next += 1;
          const value = next;
          const body = aPost(value, `pump-${value % 7}`);
          const headers = { 'idempotency-key': `key-${value}` };
          const answer = await current.post({ body, headers }).catch(() => undefined);
          if (answer?.status === 202) acknowledged.add(value);
          else unsure.add(value);
          if (answer === undefined) return;
        }
      };
      const clients = Array.from({ length: 16 }, client);
      await until(() => acknowledged.size > before + 200, { timeoutMs: 60_000 });
      await current.child.kill();
      alive = false;
      await Promise.all(clients);
      ingest = await IngestProcess.start({ folder });
    }
    // What got no answer is posted again, as a source would, under the same key.
    for (const value of unsure) {
      const headers = { 'idempotency-key': `key-${value}` };
      const answer = await ingest.post({ body: aPost(value, `pump-${value % 7}`), headers });
      // The body has another time than the first try had, so a 422 says: the first try was stored.
      expect([202, 422]).toContain(answer.status);
      acknowledged.add(value);
    }
    expect((await ingest.status()).accepted).toBe(acknowledged.size);
    await ingest.child.kill();
    const rows = await ingest.journalRows();
    const values = rows.map(({ reading }) => reading.values[0] as number);
    expect(new Set(values).size).toBe(values.length);
    expect(new Set(values)).toEqual(acknowledged);
    for (const stream of new Set(rows.map((row) => row.stream))) {
      const numbers = rows.filter((row) => row.stream === stream).map((row) => row.seq);
      expect(numbers.sort((a, b) => a - b)).toEqual(numbers.map((_, index) => index + 1));
    }
  });
});

describe('the idempotency key', () => {
  it('gives the first answer again, also after a restart, and refuses another body', async () => {
    const first = await IngestProcess.start();
    const body = JSON.stringify([JSON.parse(aPost(1)), 'bad']);
    const headers = { 'idempotency-key': 'once' };
    const original = await first.post({ body, headers });
    expect(original).toMatchObject({ status: 202, body: { accepted: 1, refusedCount: 1 } });
    expect(original.headers['idempotency-replayed']).toBeUndefined();
    const repeat = await first.post({ body, headers });
    expect(repeat.headers['idempotency-replayed']).toBe('true');
    expect(repeat.body).toEqual(original.body);
    await first.child.kill();

    const second = await IngestProcess.start({ folder: first.folder });
    expect((await second.post({ body, headers })).body).toEqual(original.body);
    expect(await second.post({ body: aPost(2), headers })).toMatchObject({ status: 422 });
    const { accepted, receipt } = original.body as { accepted: number; receipt: string };
    expect((await second.get(`/v1/receipts/${receipt}`)).body).toEqual({
      accepted,
      applied: 0,
      complete: false,
    });
    expect((await second.status()).accepted).toBe(1);
    await second.child.kill();
  });

  it('lets only one of many simultaneous posts in', async () => {
    const ingest = await IngestProcess.start();
    const body = aPost(1);
    const headers = { 'idempotency-key': 'race' };
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => ingest.post({ body, headers })),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(202));
    expect(new Set(answers.map(({ body }) => body.receipt)).size).toBe(1);
    expect((await ingest.status()).accepted).toBe(1);
    await ingest.child.kill();
  });

  it('is free again when the request under it was refused', async () => {
    const ingest = await IngestProcess.start();
    const headers = { 'idempotency-key': 'again' };
    expect((await ingest.post({ body: '[5]', headers })).status).toBe(400);
    expect((await ingest.post({ body: aPost(1), headers })).status).toBe(202);
    await ingest.child.kill();
  });
});

it('an unknown receipt gets 404, one of another epoch 410', async () => {
  const ingest = await IngestProcess.start();
  await ingest.post({ body: aPost(1) });
  expect((await ingest.get('/v1/receipts/nonsense')).status).toBe(404);
  expect((await ingest.get('/v1/receipts/99.e.1.1')).status).toBe(404);
  expect((await ingest.get('/v1/receipts/0.another.1.1')).status).toBe(410);
  await ingest.child.kill();
});

/** Settings come from the twin; without a hub, from the file that the host keeps. */
const keepSettings = (folder: string, desired: Record<string, unknown>): void =>
  writeFileSync(join(folder, 'settings.json'), JSON.stringify({ version: 2, desired }));

describe('back-pressure', () => {
  it('answers 429 when the backlog has reached its limit, and takes readings again when it may', async () => {
    const first = await IngestProcess.start();
    await first.child.stop();
    keepSettings(first.folder, { capBytes: 1_048_576 });
    const full = await IngestProcess.start({ folder: first.folder });
    const rows = Array.from({ length: 2000 }, (_, i) => ({
      asset: 'pump-1',
      t: Date.now(),
      values: { value: i, noise: Math.random() },
    }));
    const body = JSON.stringify(rows);
    let answer = await full.post({ body });
    let accepted = 0;
    while (answer.status === 202) {
      accepted += 2000;
      answer = await full.post({ body });
    }
    expect(answer).toMatchObject({ status: 429, body: { title: 'Send again later' } });
    expect(answer.headers['retry-after']).toBe('5');
    expect(await full.get('/readyz')).toMatchObject({ status: 503 });
    expect((await full.status()).accepted).toBe(accepted);
    await full.child.stop();

    keepSettings(first.folder, {});
    const free = await IngestProcess.start({ folder: first.folder });
    expect((await free.post({ body })).status).toBe(202);
    await free.child.kill();
  });

  it('answers 429 while requests under way hold all the memory that they may', async () => {
    const first = await IngestProcess.start();
    await first.child.stop();
    keepSettings(first.folder, { memoryBytesMax: 1_048_576 });
    const ingest = await IngestProcess.start({ folder: first.folder });
    const slow = httpRequest({
      host: '127.0.0.1',
      port: ingest.port,
      method: 'POST',
      path: '/v1/readings',
      agent: false,
      headers: {
        authorization: `Bearer ${TOKEN}`,
        'content-type': 'application/json',
        'content-length': '1000000',
      },
    });
    slow.on('error', () => undefined);
    slow.write('[');
    const body = aPost(1).padEnd(100_000);
    const held = await until(
      async () => {
        const answer = await ingest.post({ body });
        return answer.status === 429 ? answer : undefined;
      },
      { timeoutMs: 60_000 },
    );
    expect(held.body.detail).toMatch('requests under way hold 1000000 of 1048576 bytes');
    slow.destroy();
    await until(async () => (await ingest.post({ body })).status === 202, { timeoutMs: 60_000 });
    await ingest.child.kill();
  });
});
