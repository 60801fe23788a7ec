/**
 * The forwarder against a real Azurite: whatever happens to the link, the store and the answers, every record that
 * may leave the site is in exactly one blob, and readable.
 */
import type { IncomingMessage } from 'node:http';
import {
  BlobServiceClient,
  ContainerSASPermissions,
  generateBlobSASQueryParameters,
  SASProtocol,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import { ChildProcess, TcpGate, temporaryFolder, until } from '@holdfast/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import Database from 'better-sqlite3';
import { type OutboxContent, outboxSum } from '../../modules/forwarder/src/adapters/row-sum.ts';
import { ACCOUNT, type Azurite, connectionString, KEY, startAzurite } from './azurite.ts';
import { HttpGate } from './http-gate.ts';
import { idsOf, readBack } from './read-back.ts';
import { batchOf, Rig } from './rig.ts';

let azurite: Azurite;
let gate: HttpGate;
let number = 0;
let container = '';

beforeAll(async () => {
  azurite = await startAzurite(temporaryFolder('azurite'));
}, 60_000);
beforeEach(async () => {
  gate = await HttpGate.open(azurite.port);
  container = `insights-${++number}`;
});
afterEach(async () => {
  await Rig.stopAll();
  await gate.close();
});
afterAll(async () => {
  await azurite.stop();
  await ChildProcess.killAll();
});

const start = (
  given: { connection?: string; upload?: object; folder?: string } = {},
): Promise<Rig> =>
  Rig.start({
    connection: given.connection ?? connectionString(gate.port),
    settings: { upload: { container, ...given.upload } },
    ...(given.folder === undefined ? {} : { folder: given.folder }),
  });

const stored = () => readBack(connectionString(azurite.port), container);

const isUpload = ({ method, headers }: IncomingMessage): boolean =>
  method === 'PUT' && headers['x-ms-blob-type'] === 'BlockBlob';

/** Everything that was produced and not denied is in the store, each record once. */
async function expectExactlyOnce(rig: Rig): Promise<void> {
  const blobs = await stored();
  const { lanes, blobs: count } = rig.status;
  for (const [kind, lane] of [
    ['anomaly', 'critical'],
    ['rollup', 'normal'],
    ['scores', 'bulk'],
    ['gap', 'audit'],
  ] as const) {
    const ids = idsOf(blobs, kind);
    expect([...ids.values()].filter((times) => times > 1)).toEqual([]);
    expect(ids.size).toBe(lanes[lane].produced);
    expect(lanes[lane]).toMatchObject({ delivered: ids.size, pending: 0 });
  }
  expect(blobs).toHaveLength(count);
}

describe('upload', () => {
  it('puts every record into exactly one blob, by kind and day, and tells what is in it', async () => {
    const rig = await start();
    rig.apply(1, 1_200);
    expect(await rig.module.flush()).toMatchObject({ pending: 0 });
    await expectExactlyOnce(rig);
    const blobs = await stored();
    expect(
      new Set(blobs.map(({ name }) => /(.*)\/date=([^/]*)\//.exec(name)?.slice(1).join(' '))),
    ).toEqual(
      new Set(
        ['anomaly', 'rollup', 'scores'].flatMap((kind) =>
          ['2026-11-23', '2026-11-24'].map((day) => `insights/v1/kind=${kind}/site=Werk 5 ${day}`),
        ),
      ),
    );
    for (const blob of blobs) {
      const lowerCase = Object.fromEntries(
        Object.entries(blob.metadata).map(([key, value]) => [key.toLowerCase(), value]),
      );
      expect(lowerCase).toMatchObject({
        recordshash: blob.notes.recordsHash,
        site: 'Werk%205',
        policyhash: expect.stringMatching(/^[0-9a-f]{64}$/),
        count: String(new Set(blob.rows.map(({ id }) => id)).size),
      });
      expect(blob.name).toContain(blob.notes.recordsHash!.slice(0, 16));
      expect([...blob.codecs]).toEqual(['ZSTD']);
    }
  });

  it('writes columns that readers of Parquet take as they are', async () => {
    const rig = await start();
    rig.apply(1, 400);
    await rig.module.flush();
    const blobs = await stored();
    const rowsOf = (kind: string) => blobs.filter((b) => b.kind === kind).flatMap((b) => b.rows);
    expect(rowsOf('anomaly').find(({ phase }) => phase === 'closed')).toMatchObject({
      id: 'a-ingest-0-e1-1-closed',
      asset: 'pump 1',
      startT: new Date(Date.UTC(2026, 10, 23, 23, 50, 1)),
      endT: new Date(Date.UTC(2026, 10, 23, 23, 50, 4)),
      startSeq: 1n,
      rows: 4,
      level: 2,
      modelVersion: '1.2',
    });
    const opened = rowsOf('anomaly').find(({ phase }) => phase === 'opened');
    expect(opened?.endT).toBeNull();
    expect(JSON.parse(String(opened?.contributions))).toEqual([
      { signal: 'flow', share: 0.75, value: null },
      { signal: 'pressure', share: 0.25, value: 3 },
    ]);
    expect(rowsOf('rollup').reduce((sum, { scored }) => sum + Number(scored), 0)).toBe(400);
    expect(rowsOf('rollup')[0]).toMatchObject({ part: 0, minuteT: expect.any(Date), firstSeq: 1n });
    expect(rowsOf('scores')).toHaveLength(400);
    expect(
      rowsOf('scores')
        .map(({ seq }) => Number(seq))
        .sort((a, b) => a - b)[399],
    ).toBe(400);
  });

  it('keeps kinds at the site that the policy does not name', async () => {
    const rig = await Rig.start({
      connection: connectionString(gate.port),
      settings: { egress: { allow: ['anomaly'] }, upload: { container } },
    });
    rig.apply(1, 700);
    await rig.module.flush();
    expect(new Set((await stored()).map(({ kind }) => kind))).toEqual(new Set(['anomaly']));
    expect(rig.status.lanes.normal).toMatchObject({ produced: 12, denied: 12, delivered: 0 });
  });

  it('makes no second blob and loses no record when the answer to an upload is lost', async () => {
    const rig = await start();
    let lost = 0;
    // Every first answer to every blob is lost after the store has it.
    const names = new Set<string>();
    gate.loseAnswer = (message) => {
      if (!isUpload(message) || names.has(message.url ?? '')) return false;
      names.add(message.url ?? '');
      lost++;
      return true;
    };
    rig.apply(1, 700);
    await until(() => rig.pending === 0 && rig.status.blobs > 2, { timeoutMs: 30_000 });
    await rig.module.flush();
    await until(() => rig.pending === 0, { timeoutMs: 30_000 });
    expect(lost).toBeGreaterThan(2);
    await expectExactlyOnce(rig);
    expect(rig.status.link).toBe('up');
  });

  it('keeps records while the store is away and delivers them when it is back', async () => {
    const link = await TcpGate.open({ port: azurite.port });
    await link.set('down');
    const rig = await start({ connection: connectionString(link.port) });
    rig.apply(1, 700);
    await until(() => rig.status.link === 'down');
    expect(rig.status.lastError).toMatch(/no answer from the store: .*ECONNREFUSED/);
    expect(rig.status).toMatchObject({ applied: 700, blobs: 0 });
    await link.set('up');
    await until(() => rig.status.link === 'up', { timeoutMs: 30_000 });
    await rig.module.flush();
    await expectExactlyOnce(rig);
    expect(rig.status.lastError).toBeUndefined();
    await link.close();
  });

  it('gives up a request that hangs, and repeats it', async () => {
    const link = await TcpGate.open({ port: azurite.port });
    await link.set('silent');
    const rig = await start({
      connection: connectionString(link.port),
      upload: { timeoutSecs: 1 },
    });
    rig.apply(1, 300);
    await until(() => rig.status.link === 'down');
    await link.set('down');
    await link.set('up');
    await until(() => rig.status.link === 'up', { timeoutMs: 30_000 });
    await rig.module.flush();
    await expectExactlyOnce(rig);
    await link.close();
  });

  it('says that the key is wrong, tells it to nobody, and delivers with the right one', async () => {
    const wrong = Buffer.from('wrong key, do not tell').toString('base64');
    const rig = await start({ connection: connectionString(gate.port, wrong) });
    rig.apply(1, 300);
    await until(() => rig.status.link === 'down');
    expect(rig.status.lastError).toMatch(/403 .*HOLDFAST_STORAGE_CONNECTION_STRING are wrong/);
    const told = JSON.stringify([rig.fake.lines, rig.status]);
    expect(told).not.toContain(wrong);
    expect(told).not.toMatch(/String to sign|signature/i);
    expect(rig.fake.lines.filter((line) => line.startsWith('error'))).toHaveLength(1);
    expect(rig.status.lanes.critical).toMatchObject({ dead: 0, delivered: 0 });
    await rig.stop();
    const right = await start({ folder: rig.folder });
    await right.module.flush();
    await expectExactlyOnce(right);
  });

  it.each([
    ['create and read', 'cr', undefined],
    // Azurite tells a create-only SAS less than Azure does; the gate answers as Azure.
    ['create and nothing else', 'c', { status: 403, code: 'UnauthorizedBlobOverwrite' }],
  ])(
    'works with a SAS that allows to %s, and an answer lost',
    async (_, permissions, overwrite) => {
      const admin = BlobServiceClient.fromConnectionString(connectionString(azurite.port));
      await admin.createContainer(container);
      const sas = generateBlobSASQueryParameters(
        {
          containerName: container,
          permissions: ContainerSASPermissions.parse(permissions),
          expiresOn: new Date(Date.now() + 3_600_000),
          protocol: SASProtocol.HttpsAndHttp,
        },
        new StorageSharedKeyCredential(ACCOUNT, KEY),
      ).toString();
      let lost: string | undefined;
      gate.loseAnswer = (message) => {
        if (!isUpload(message) || lost !== undefined) return false;
        lost = message.url;
        return true;
      };
      gate.refuse = (message) =>
        isUpload(message) && message.url === lost ? overwrite : undefined;
      const rig = await start({
        connection: `http://127.0.0.1:${gate.port}/${ACCOUNT}/${container}?${sas}`,
      });
      rig.apply(1, 300);
      await until(() => lost !== undefined);
      await until(() => rig.status.link === 'up', { what: () => JSON.stringify(rig.status) });
      await rig.module.flush();
      await expectExactlyOnce(rig);
      const signature = new URLSearchParams(sas).get('sig')!;
      const told = JSON.stringify([rig.fake.lines, rig.status]);
      expect(told).not.toContain(signature);
      expect(told).not.toContain(encodeURIComponent(signature));
    },
  );

  it('speaks the version of the API that it is told to, signed, with nothing newer in it', async () => {
    const rig = await start({ upload: { apiVersion: '2019-07-07' } });
    rig.apply(1, 300);
    await rig.module.flush();
    await expectExactlyOnce(rig);
    expect(gate.seen.length).toBeGreaterThan(2);
    for (const { headers } of gate.seen) {
      expect(headers['x-ms-version']).toBe('2019-07-07');
      expect(headers['x-ms-tags']).toBeUndefined();
      expect(headers['x-ms-access-tier']).toBeUndefined();
    }
  });

  it('sends a large blob in blocks, and whole with a SAS that may not stage any', async () => {
    for (const mayStage of [true, false]) {
      gate.refuse = ({ url }) =>
        mayStage || !url?.includes('comp=block&')
          ? undefined
          : { status: 403, code: 'AuthorizationPermissionMismatch' };
      const rig = await start({ upload: { bytesMax: 4_194_304 } });
      const batch = batchOf(1, 40_000);
      // Without a pattern it is more than goes in one request at first.
      for (const list of batch.assets) list.score = list.score.map(() => Math.random());
      const body = Buffer.from(JSON.stringify(batch));
      rig.module.inputs.scores!({ input: 'scores', body, properties: {} });
      await rig.module.flush();
      await expectExactlyOnce(rig);
      await rig.stop();
      const committed = gate.seen.filter(({ url }) => url.includes('comp=blocklist'));
      expect(committed.some(({ method }) => method === 'PUT')).toBe(mayStage);
      gate.seen.splice(0);
      container = `insights-${++number}`;
    }
  });

  it('waits as long as a busy store asks', async () => {
    let refused = 0;
    let again = 0;
    gate.refuse = (message) => {
      if (!isUpload(message)) return undefined;
      if (refused++ === 0) {
        again = performance.now() + 1_000;
        return { status: 503, code: 'ServerBusy', headers: { 'retry-after': '1' } };
      }
      // A timer may fire a little early.
      expect(performance.now()).toBeGreaterThan(again - 20);
      return undefined;
    };
    const rig = await start();
    rig.apply(1, 10);
    await until(() => rig.status.lanes.critical.delivered > 0, { timeoutMs: 30_000 });
    expect(refused).toBeGreaterThan(1);
  });

  it('parts a refused blob until the bad record is a dead letter and all others are delivered', async () => {
    // The store refuses whatever holds record number 2 of the outbox.
    gate.refuse = (message) => {
      const [, first, last] = /critical-all-(\d+)-(\d+)-/.exec(message.url ?? '') ?? [];
      if (!isUpload(message) || first === undefined) return undefined;
      const holds = Number(first) <= 2 && Number(last) >= 2;
      return holds ? { status: 413, code: 'RequestBodyTooLarge' } : undefined;
    };
    const rig = await Rig.start({
      connection: connectionString(gate.port),
      settings: { egress: { allow: ['anomaly', 'gap'] }, upload: { container } },
    });
    rig.apply(1, 700);
    const { produced } = rig.status.lanes.critical;
    expect(produced).toBe(6);
    await until(() => rig.status.lanes.critical.dead === 1, { timeoutMs: 30_000 });
    await until(() => rig.status.lanes.critical.delivered === produced - 1, { timeoutMs: 30_000 });
    const { body } = await rig.fake.get('/v1/dead');
    expect(body.dead).toEqual([
      expect.objectContaining({ lane: 'critical', reason: expect.stringContaining('413') }),
    ]);
    expect(idsOf(await stored(), 'anomaly').size).toBe(produced - 1);
    expect(rig.status.link).toBe('up');
  });

  it('parts a record that cannot be written from all others', async () => {
    const rig = await start();
    await rig.module.methods?.holdUpload?.({});
    rig.apply(1, 700);
    const db = new Database(`${rig.folder}/forwarder.db`);
    db.exec("UPDATE outbox SET record = json_set(record, '$.startSeq', 1.5) WHERE number = 1");
    const row = db.prepare('SELECT * FROM outbox WHERE number = 1').get() as OutboxContent;
    expect(row.kind).toBe('anomaly');
    // A mistake of ours, not of the disk: with the checksum of what is there.
    db.prepare('UPDATE outbox SET sum = ? WHERE number = 1').run(outboxSum(row));
    db.close();
    await rig.module.methods?.resumeUpload?.({});
    await until(() => rig.status.lanes.critical.dead === 1, { timeoutMs: 30_000 });
    await until(() => rig.status.lanes.critical.delivered === 5, { timeoutMs: 30_000 });
    const { body } = await rig.fake.get('/v1/dead');
    expect(body.dead).toMatchObject([
      { reason: expect.stringContaining('not writable as Parquet') },
    ]);
  });

  it('blames no record when the store has no such container and may not make one', async () => {
    const rig = await start({ upload: { createContainer: false } });
    rig.apply(1, 300);
    await until(() => rig.status.link === 'down');
    expect(rig.status.lastError).toMatch(/404 ContainerNotFound/);
    expect(rig.status.lanes.critical.dead).toBe(0);
  });

  it('uploads nothing while held, also after a restart, and everything when let go', async () => {
    const rig = await start();
    const call = async (on: Rig, name: string) => on.module.methods?.[name]?.({});
    expect(await call(rig, 'holdUpload')).toEqual({ status: 200, payload: { held: true } });
    rig.apply(1, 300);
    expect(await rig.module.flush()).toMatchObject({ left: 'uploading is held' });
    await rig.stop();
    const again = await start({ folder: rig.folder });
    expect(await again.module.flush()).toMatchObject({ left: 'uploading is held' });
    expect(gate.seen).toEqual([]);
    await call(again, 'resumeUpload');
    await again.module.flush();
    await expectExactlyOnce(again);
  });

  it('delivers an anomaly while a backlog is on its way', async () => {
    const link = await TcpGate.open({ port: azurite.port }, { bytesPerSecond: 20_000 });
    const rig = await start({
      connection: connectionString(link.port),
      upload: { recordsMax: 20, bytesMax: 64 * 1024 },
    });
    // Some 600 kB of scores on a slow line, with anomalies among them.
    rig.module.inputs.scores!({
      input: 'scores',
      body: Buffer.from(JSON.stringify(batchOf(1, 20_000))),
      properties: {},
    });
    await until(() => rig.status.lanes.critical.delivered > 0, { timeoutMs: 20_000 });
    expect(rig.status.lanes.bulk.pending).toBeGreaterThan(0);
    link.bytesPerSecond = undefined;
    await rig.module.flush();
    await until(() => rig.pending === 0, { timeoutMs: 30_000 });
    await expectExactlyOnce(rig);
    await link.close();
  });
});
