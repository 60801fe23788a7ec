import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { GroupCommit, Journal, LOG_BYTES } from '@holdfast/journal';
import {
  ConfigurationError,
  DiskRoom,
  errorFields,
  type ModuleHost,
  observeRoom,
  type RunningModule,
} from '@holdfast/module-host';
import { DevicesSource } from './adapters/devices-source.ts';
import { FolderSource } from './adapters/folder-source.ts';
import { HttpSource } from './adapters/http-source.ts';
import { IngestMetrics, registerGauges } from './adapters/metrics.ts';
import { RejectLog } from './adapters/reject-log.ts';
import { authProblem, type IngestEnvironment, type IngestSettings } from './config.ts';
import { isClockSet } from './domain/time-window.ts';
import { JournalRoom } from './journal-room.ts';
import { Pipeline } from './pipeline.ts';
import { StreamPump } from './stream-pump.ts';

type Host = ModuleHost<IngestEnvironment, IngestSettings>;

/** How often the books are checked by themselves. */
const ACCOUNTS_MS = 10_000;

/** How long idempotency keys are known, and how many at most; the folder source needs them after a restart only. */
const KEY_AGE_MS_MAX = 24 * 3_600_000;
const KEY_COUNT_MAX = 500_000;
/** A key takes about 300 bytes with its index; keys must not fill a small journal. */
const CAP_BYTES_PER_KEY = 2_048;

/** Opens the stores and joins the parts. */
export async function startIngest(host: Host): Promise<RunningModule<IngestSettings>> {
  const problem = authProblem(host.env);
  if (problem !== undefined) throw new ConfigurationError([problem]);
  const { clock, log } = host;
  if (!isClockSet(clock.wallMs())) {
    log.warn('The clock is not set, so times of readings are not checked against it', {
      clock: new Date(clock.wallMs()).toISOString(),
    });
  }
  const path = join(host.env.HOLDFAST_DATA_DIR, 'journal.db');
  const disk = new DiskRoom({ file: path, logBytesMax: LOG_BYTES, settings: host.settings, log });
  const journal = openJournal(host, path, disk);
  reportSalvage(journal, log);
  const room = new JournalRoom({ journal, disk, clock });
  const rejects = new RejectLog(join(host.env.HOLDFAST_DATA_DIR, 'rejects.db'), (error) => {
    log.debug('Refused rows stay in memory, the disk does not take them', errorFields(error));
  });
  const metrics = new IngestMetrics(host.metrics);
  const ports = {
    journal,
    clock,
    log,
    connected: host.connected,
    send: host.send,
    fatal: host.fatal,
    onSent: (bytes: number) => metrics.sent(bytes),
  };
  const pumps = journal.streams.map(
    ({ partition }) => new StreamPump(partition, ports, host.settings),
  );
  const commits = new GroupCommit(journal, { nowMs: () => clock.monotonicMs() });
  const parts = { journal, room, commits, pumps, rejects, metrics, clock, log, fatal: host.fatal };
  const pipeline = new Pipeline(parts, host.settings);
  const sources = openSources(host, { ...parts, pipeline });
  observe(host, { journal, room, pipeline, pumps });
  disk.start();
  for (const source of sources.all) await source.start();
  const watch = watchAccounts(host, pipeline);
  return {
    inputs: {
      devices: (message) => sources.devices.handle(message),
      receipts: (message) => pipeline.receipts(message),
      demands: (message) => pipeline.demands(message.body),
    },
    apply: (settings) => {
      pipeline.apply(settings);
      disk.apply(settings);
      journal.disk.setLogBytes(disk.logBytes);
      sources.http.apply(settings);
      sources.folder?.apply(settings);
      for (const pump of pumps) pump.apply(settings);
    },
    status: () => ({
      clockSet: isClockSet(clock.wallMs()),
      ...statusOf({ journal, room, pipeline, pumps, metrics }),
    }),
    flush: async () => {
      commits.flush();
      rejects.flush();
      for (const pump of pumps) pump.wake();
      return { inFlight: pipeline.accounts.inFlight };
    },
    notReady: () =>
      pipeline.busy() ?? sources.all.map((source) => source.health()).find((text) => text),
    onConnected: () => {
      for (const pump of pumps) pump.connected();
    },
    stop: async () => {
      clearInterval(watch);
      disk.stop();
      await Promise.all(sources.all.map((source) => source.stop()));
      commits.flush();
      for (const pump of pumps) pump.stop();
      rejects.close();
      journal.close();
    },
  };
}

function openJournal({ env, clock }: Host, path: string, disk: DiskRoom): Journal {
  return Journal.open({
    path,
    makeRoom: () => disk.giveUpReserve(),
    logBytes: disk.logBytes,
    partitions: env.HOLDFAST_PARTITIONS,
    // A stream name allows less than a module id does.
    streamPrefix: env.IOTEDGE_MODULEID.replace(/[^A-Za-z0-9_-]/g, '-'),
    newEpoch: () => randomBytes(8).toString('hex'),
    wallMs: () => clock.wallMs(),
    monotonicMs: () => clock.monotonicMs(),
    keyAgeMsMax: KEY_AGE_MS_MAX,
    keyCountMax: Math.min(KEY_COUNT_MAX, Math.floor(disk.capBytes / CAP_BYTES_PER_KEY)),
  });
}

/** What damage came to; each gap is named again when its turn comes. */
function reportSalvage({ salvage }: Journal, log: Host['log']): void {
  if (salvage === undefined) return;
  const { gaps, ...rest } = salvage;
  const missing = gaps.reduce((sum, { count }) => sum + count, 0);
  const event = 'The journal was damaged: what proves itself was saved, the rest is a gap';
  log.error(event, { ...rest, missing, gaps: gaps.slice(0, 20), code: 'JOURNAL_DAMAGED' });
}

function openSources(
  host: Host,
  parts: ConstructorParameters<typeof Pipeline>[0] & { pipeline: Pipeline },
) {
  const { env, settings } = host;
  const token = env.HOLDFAST_HTTP_AUTH === 'none' ? undefined : env.HOLDFAST_HTTP_TOKEN;
  const http = new HttpSource({ ...parts, http: host.http, token }, settings);
  const devices = new DevicesSource(parts);
  const folder =
    env.HOLDFAST_INPUT_DIR === undefined
      ? undefined
      : new FolderSource(
          {
            ...parts,
            folder: env.HOLDFAST_INPUT_DIR,
            cursorPath: join(env.HOLDFAST_DATA_DIR, 'folder-cursor.json'),
          },
          settings,
        );
  return { http, devices, folder, all: folder ? [http, devices, folder] : [http, devices] };
}

function observe(
  host: Host,
  parts: { journal: Journal; room: JournalRoom; pipeline: Pipeline; pumps: readonly StreamPump[] },
): void {
  const { journal, room, pipeline, pumps } = parts;
  observeRoom(host.metrics, () => room.look());
  registerGauges(host.metrics, {
    accepted: () => journal.accepted(),
    inFlight: () => pipeline.accounts.inFlight,
    receipted: () => pipeline.accounts.receipted,
    lost: () => pipeline.accounts.lost,
    missing: () => missingIn(pumps),
    salvaged: () => journal.salvage !== undefined,
    journalBytes: () => journal.disk.sizeBytes,
    accountsHold: () => pipeline.accounts.hold,
    streams: () => pumps.map((pump) => pump.status),
  });
}

/** Readings in gaps that have no receipt yet: part of what is in flight, and about to be lost. */
const missingIn = (pumps: readonly StreamPump[]): number =>
  pumps.reduce((sum, pump) => sum + pump.missing, 0);

function watchAccounts(host: Host, pipeline: Pipeline): NodeJS.Timeout {
  let held = true;
  const timer = setInterval(() => {
    const { hold, inFlight, receipted, lost } = pipeline.accounts;
    if (held && !hold) {
      host.log.error('Accounts do not add up: accepted is not receipted + in flight + lost', {
        inFlight,
        receipted,
        lost,
      });
    }
    held = hold;
  }, ACCOUNTS_MS);
  return timer.unref();
}

function statusOf(parts: {
  journal: Journal;
  room: JournalRoom;
  pipeline: Pipeline;
  pumps: readonly StreamPump[];
  metrics: IngestMetrics;
}): Record<string, unknown> {
  const { journal, room, pipeline, pumps, metrics } = parts;
  const { accounts } = pipeline;
  return {
    accepted: journal.accepted(),
    inFlight: accounts.inFlight,
    receipted: accounts.receipted,
    lost: accounts.lost,
    missing: missingIn(pumps),
    ...(journal.salvage && { salvage: journal.salvage }),
    accountsHold: accounts.hold,
    refused: Object.fromEntries(metrics.refusedByCode),
    lookback: journal.lookback,
    journalBytes: journal.disk.sizeBytes,
    disk: room.look(),
    waiting: pipeline.busy() ?? null,
    streams: pumps.map(({ status }) => status),
  };
}
