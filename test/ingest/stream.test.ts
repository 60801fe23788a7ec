/**
 * Goal: what is accepted reaches the other end in order and exactly once, whatever the hub does; receipts, demands
 * and waiting requests work end to end.
 * Method: the whole module in this process on a hub in memory with faults, and a receiver that applies by position.
 */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { seeded, temporaryFolder, until } from '@holdfast/testkit';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { aHub, numbered, type Receiver, type Site, startSite } from './site-in-memory.ts';

// Processes start slowly on a busy machine.
jest.setTimeout(120_000);

let sites: Site[] = [];
const start = async (options: Parameters<typeof startSite>[0] = {}): Promise<Site> => {
  const site = await startSite(options);
  sites.push(site);
  return site;
};
afterEach(async () => {
  for (const site of sites) await site.stop();
  sites = [];
});

const drained = (site: Site) =>
  until(() => site.status().inFlight === 0, {
    timeoutMs: 60_000,
    what: () => `nothing in flight: ${JSON.stringify(site.status())}`,
  });

/** Each value once, and each stream in order without holes. */
function expectExactlyOnce(receiver: Receiver, values: number): void {
  const seen = receiver.applied.map(({ value }) => value as number).sort((a, b) => a - b);
  expect(seen).toEqual(Array.from({ length: values }, (_, i) => i + 1));
  const streams = new Set(receiver.applied.map(({ stream }) => stream));
  for (const stream of streams) {
    const numbers = receiver.applied.filter((row) => row.stream === stream).map(({ seq }) => seq);
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  }
}

describe('the way to the other end', () => {
  it('is taken by every reading, in order, once', async () => {
    const site = await start();
    for (let from = 1; from <= 1000; from += 100) await site.post(numbered(from, 100));
    await drained(site);
    expectExactlyOnce(site.receiver, 1000);
    expect(site.status()).toMatchObject({
      accepted: 1000,
      receipted: 1000,
      lost: 0,
      accountsHold: true,
    });
  });

  it.each([1, 2, 3])(
    'holds on a hub that loses, doubles, reorders and delays (seed %d)',
    async (seed) => {
      const random = seeded(seed);
      const hub = aHub(() => random.next());
      Object.assign(hub.faults, {
        loseSend: 0.1,
        loseAcknowledgement: 0.1,
        drop: 0.05,
        duplicate: 0.1,
        reorder: 0.1,
        delayMs: { min: 0, max: 3 },
      });
      const site = await start({ hub });
      for (let from = 1; from <= 400; from += 20) {
        await site.post(numbered(from, 20));
        if (from === 201) hub.disconnect('ingest');
      }
      await drained(site);
      expectExactlyOnce(site.receiver, 400);
      expect(site.status().accountsHold).toBe(true);
    },
  );

  it('waits while there is no hub and goes on when it is back', async () => {
    const site = await start();
    site.hub.refuse(true);
    expect(await site.post(numbered(1, 50))).toMatchObject({ status: 202 });
    expect(site.status()).toMatchObject({ accepted: 50, inFlight: 50 });
    site.hub.refuse(false);
    await drained(site);
    expectExactlyOnce(site.receiver, 50);
  });

  it('goes on after a restart with what has no receipt', async () => {
    const hub = aHub();
    const first = await startSite({ hub });
    first.receiver.silent = true;
    await first.post(numbered(1, 30));
    await until(() => first.receiver.messages.length > 0);
    await first.ingest.stop();
    first.receiver.silent = false;
    const second = await start({ hub, receiver: first.receiver, folder: first.folder });
    expect(second.status()).toMatchObject({ accepted: 30 });
    await drained(second);
    expectExactlyOnce(first.receiver, 30);
    expect(second.status().accountsHold).toBe(true);
  });

  it('never has more than the credit of batches under way', async () => {
    const site = await start();
    site.receiver.silent = true;
    site.hub.setDesired('ingest', { credit: 2 });
    const rows = Array.from({ length: 20_000 }, (_, i) => ({
      asset: 'pump-1',
      t: Date.now(),
      values: { value: i, noise: Math.random(), more: Math.random() },
    }));
    for (let part = 0; part < 20_000; part += 5000) await site.post(rows.slice(part, part + 5000));
    await until(() => site.receiver.messages.length === 2);
    expect(
      site
        .status()
        .streams.map(({ sent }) => sent)
        .filter((sent) => sent > 0),
    ).toHaveLength(1);
    for (const message of site.receiver.messages) {
      expect(JSON.stringify(message).length).toBeLessThanOrEqual(240 * 1024);
    }
    site.receiver.silent = false;
    await drained(site);
  });
});

describe('Prefer: wait', () => {
  it('answers with what became of each row', async () => {
    const site = await start();
    const response = await fetch(`${site.ingest.url}/v1/readings`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', prefer: 'wait=10', connection: 'close' },
      body: JSON.stringify([...numbered(1, 2), 'bad']),
    });
    expect(response.status).toBe(200);
    expect(response.headers.get('preference-applied')).toBe('wait=10');
    expect(await response.json()).toMatchObject({
      accepted: 2,
      refusedCount: 1,
      results: [
        { row: 0, outcome: 'scored', score: 0.5, level: 0 },
        { row: 1, outcome: 'scored', score: 0.5, level: 0 },
      ],
    });
  });

  it('answers 202 when the time is over, and the receipt tells later', async () => {
    const site = await start();
    site.receiver.silent = true;
    const answer = await site.post(numbered(1, 2), { prefer: 'wait=1' });
    expect(answer).toMatchObject({ status: 202, body: { accepted: 2 } });
    const path = `/v1/receipts/${String(answer.body.receipt)}`;
    expect(await site.get(path)).toEqual({ accepted: 2, applied: 0, complete: false });
    site.receiver.silent = false;
    await drained(site);
    expect(await site.get(path)).toEqual({ accepted: 2, applied: 2, complete: true });
  });
});

describe('a demand for lookback', () => {
  const demand = (lookback: number) => ({
    input: 'demands',
    body: Buffer.from(
      JSON.stringify({
        v: 1,
        kind: 'demands',
        lookback,
        model: { name: 'm', version: '1', digest: `sha256:${'0'.repeat(64)}` },
      }),
    ),
  });

  it('is kept, and what has no receipt goes again with earlier rows', async () => {
    const site = await start();
    await site.post(numbered(1, 70));
    await drained(site);
    site.receiver.silent = true;
    site.hub.deliver('ingest', demand(3));
    await until(() => site.status().lookback === 3);
    await site.post(numbered(71, 70));
    await until(() => site.receiver.messages.some(({ lookback }) => lookback === 3));
    site.hub.deliver('ingest', demand(5));
    await until(() => site.receiver.messages.some(({ lookback }) => lookback === 5));
    const message = site.receiver.messages.find(({ lookback }) => lookback === 5);
    expect(message?.assets[0]?.lookback?.t).toHaveLength(5);
    site.receiver.silent = false;
    await drained(site);
    expectExactlyOnce(site.receiver, 140);
  });

  it('never makes the lookback smaller, and a malformed one changes nothing', async () => {
    const site = await start();
    site.hub.deliver('ingest', demand(4));
    site.hub.deliver('ingest', demand(2));
    site.hub.deliver('ingest', demand(-1));
    site.hub.deliver('ingest', { input: 'demands', body: Buffer.from('{') });
    await until(() => site.hub.queued('ingest') === 0);
    expect(site.status().lookback).toBe(4);
  });
});

describe('a journal restored from a backup', () => {
  it('begins a new epoch and loses nothing that it still has', async () => {
    const hub = aHub();
    const first = await startSite({ hub });
    await first.post(numbered(1, 20));
    await drained(first);
    await first.ingest.stop();
    const backup = temporaryFolder();
    cpSync(first.folder, backup, { recursive: true });

    const second = await startSite({ hub, receiver: first.receiver, folder: first.folder });
    await second.post(numbered(21, 20));
    await drained(second);
    await second.ingest.stop();
    rmSync(join(first.folder, 'journal.db'));

    const restored = await start({ hub, receiver: first.receiver, folder: backup });
    await restored.post(numbered(41, 20));
    await until(() => restored.status().streams.some(({ epochs }) => epochs > 0), {
      timeoutMs: 60_000,
    });
    await drained(restored);
    const values = new Set(first.receiver.applied.map(({ value }) => value));
    for (let value = 1; value <= 40; value += 1) expect(values.has(value)).toBe(true);
    expect(restored.status().accountsHold).toBe(true);
  });
});

describe('input devices', () => {
  const reading = (value: number) => ({ asset: 'pump-1', t: Date.now(), values: { value } });

  it('takes readings once although the hub delivers them twice', async () => {
    const site = await start();
    const message = {
      input: 'devices',
      sender: 'sensor-7',
      messageId: 'message-1',
      body: Buffer.from(JSON.stringify([reading(1), reading(2)])),
    };
    site.hub.deliver('ingest', message);
    site.hub.deliver('ingest', message);
    await until(() => site.hub.queued('ingest') === 0);
    await drained(site);
    expectExactlyOnce(site.receiver, 2);
  });

  it('reads OPC Publisher, counts what is malformed, and never stops', async () => {
    const site = await start();
    const deliver = (body: string): void =>
      site.hub.deliver('ingest', { input: 'devices', sender: 'opc', body: Buffer.from(body) });
    deliver('{"broken');
    deliver('[1,2]');
    deliver(
      JSON.stringify({
        MessageType: 'ua-data',
        Messages: [
          {
            DataSetWriterName: 'pump-1',
            Timestamp: new Date().toISOString(),
            Payload: { value: { Value: 1 } },
          },
        ],
      }),
    );
    await until(() => site.hub.queued('ingest') === 0);
    await drained(site);
    expectExactlyOnce(site.receiver, 1);
    expect(site.status().refused).toEqual({ 'json-syntax': 1, shape: 2 });
    const { rejects } = (await site.get('/v1/rejects')) as { rejects: { place: string }[] };
    expect(rejects.map(({ place }) => place)).toContain('from opc row 1');
    expect(site.fatal).toEqual([]);
  });
});

describe('input devices with a full journal', () => {
  it('leaves the message with the hub, and takes it when receipts have made room', async () => {
    const site = await start();
    site.receiver.silent = true;
    site.hub.setDesired('ingest', { capBytes: 1_048_576 });
    await until(() => JSON.stringify(site.hub.reported('ingest')).includes('accepted'));
    for (let count = 0; count < 20; count += 1) {
      const rows = Array.from({ length: 4000 }, (_, row) => ({
        asset: 'pump-1',
        t: Date.now(),
        values: { value: count * 4000 + row + 1, noise: Math.random(), more: Math.random() },
      }));
      const body = Buffer.from(JSON.stringify(rows));
      const messageId = `m-${count}`;
      site.hub.deliver('ingest', { input: 'devices', sender: 'plc', messageId, body });
    }
    await until(() => site.status().waiting !== null, { timeoutMs: 60_000 });
    // What was taken and what still waits in the hub is all there was.
    await until(() => site.status().accepted / 4000 + site.hub.queued('ingest') === 20);
    expect(site.hub.queued('ingest')).toBeGreaterThan(0);
    site.receiver.silent = false;
    await until(() => site.hub.queued('ingest') === 0, { timeoutMs: 60_000 });
    await drained(site);
    expectExactlyOnce(site.receiver, 80_000);
    expect(site.status().accountsHold).toBe(true);
    expect(site.fatal).toEqual([]);
  });
});

describe('settings from the twin', () => {
  it('take effect at once, and bad ones are refused by name', async () => {
    const site = await start();
    site.hub.setDesired('ingest', { assetMode: 'listed', assets: [{ asset: 'pump-9' }] });
    await until(async () => (await site.post(numbered(1, 1))).status === 400);
    site.hub.setDesired('ingest', { lingerMs: 21, assetz: [] });
    await until(() => JSON.stringify(site.hub.reported('ingest')).includes('refused'));
    const report = JSON.stringify(site.hub.reported('ingest'));
    expect(report).toMatch('lingerMs');
    expect(report).toMatch('assetz');
    expect((await site.post([{ ...numbered(1, 1)[0], asset: 'pump-9' }])).status).toBe(202);
    await drained(site);
  });
});
