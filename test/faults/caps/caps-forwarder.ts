import { mkdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { ChildProcess, TcpGate, until } from '@holdfast/testkit';
import { type Azurite, connectionString, startAzurite } from '../../forwarder/azurite.ts';
import { idsOf, readBack } from '../../forwarder/read-back.ts';
import { SmallVolume, volumeUnavailable } from '../disk-full/small-volume.ts';
import { type Plant, plantEnvironment } from '../plants/plant.ts';
import { type Counts, FaultFound, mustHold, type Round, type Scenario } from '../scenario.ts';

const MIB = 1024 * 1024;
const VOLUME_BYTES = 96 * MIB;
/** The promise: a cap and a floor hold within 5 %. */
const TOLERANCE = 0.05;
/** Sealed blobs stay: four of a lane, of 23 records of 45 kB. */
const SEALED_RECORDS_MAX = 100;
/** Batches handed over at a time: 1,000 rows each, 45 kB in lane `bulk`, or 150 kB with alarms. */
const STRIDE = 4;
/** Time on the link, of ten: production is ten times what can be delivered. */
const LINK_SHARE = 0.1;

interface Status {
  applied: number;
  heldBatches: number;
  waiting: string | null;
  lanes: Record<'audit' | 'critical' | 'normal' | 'bulk', Record<string, number>>;
  overwritten: Record<string, number>;
}

const plants: readonly Plant[] = [
  {
    name: 'cap-ignored',
    file: 'packages/module-host/src/disk-room.ts',
    find: 'return Math.max(this.#settings.capBytes, CAP_BYTES_MIN);',
    replace: 'return 2 * Math.max(this.#settings.capBytes, CAP_BYTES_MIN);',
  },
  {
    name: 'nothing-evicted',
    file: 'modules/forwarder/src/adapters/store-room.ts',
    find: 'return neededBytes - allowedBytes;',
    replace: 'return Math.min(0, neededBytes - allowedBytes);',
  },
  {
    name: 'floor-ignored',
    file: 'packages/module-host/src/disk-room.ts',
    find: 'return { freeBytes: bavail * bsize, floorBytes };',
    replace: 'return { freeBytes: bavail * bsize, floorBytes: 0 };',
  },
  {
    name: 'critical-evicted',
    file: 'modules/forwarder/src/domain/lanes.ts',
    find: "['bulk', 'normal']",
    replace: "['bulk', 'normal', 'critical']",
  },
  {
    name: 'normal-before-bulk',
    file: 'modules/forwarder/src/domain/lanes.ts',
    find: "['bulk', 'normal']",
    replace: "['normal', 'bulk']",
  },
  {
    name: 'gap-record-missing',
    file: 'modules/forwarder/src/apply.ts',
    find: 'this.#outbox.append([record], rules.kept, wallMs);',
    replace: '',
  },
  {
    name: 'applied-without-room',
    file: 'modules/forwarder/src/held-batches.ts',
    find: 'if (isFull || this.#isShort()) {',
    replace: 'if (isFull) {',
  },
];

export const capsForwarder: Scenario = {
  name: 'caps-forwarder',
  topic: 'caps',
  fault:
    'A forwarder on a volume of 96 MiB is given ten times what its link can deliver, first against a cap of 32 MiB, then against a floor of 48 MiB of free space, then nothing but anomalies while the link is down.',
  holds:
    'Database, log and reserve stay within 5 % of the cap, free space within 5 % of the floor, at every look; scores kept at the site go first, then bulk, then normal, never critical and audit, which end in back-pressure; each record is in storage once or counted as evicted, and the gap records, each there once, add up to what was evicted.',
  plants,
  unavailable: volumeUnavailable,
  async run(round) {
    const volume = SmallVolume.mount(round.folder, VOLUME_BYTES);
    const store = await startAzurite(`${round.folder}/store`);
    try {
      const cap = { bytesMax: 32 * MIB, freeBytesMin: 0 };
      const floor = { bytesMax: 128 * MIB, freeBytesMin: 48 * MIB };
      const first = await press(round, { volume, store, limits: cap });
      const second = await press(round, { volume, store, limits: floor });
      const sum = (name: string): number => (first[name] ?? 0) + (second[name] ?? 0);
      return Object.fromEntries(Object.keys(first).map((name) => [name, sum(name)]));
    } finally {
      await store.stop();
      volume.unmount();
    }
  },
};

interface Given {
  volume: SmallVolume;
  store: Azurite;
  limits: { bytesMax: number; freeBytesMin: number };
}

async function press(round: Round, given: Given): Promise<Counts> {
  const gate = await TcpGate.open({ port: given.store.port });
  await gate.set('down');
  const name = `insights-${given.limits.bytesMax / MIB}`;
  const folder = `${given.volume.folder}/${name}`;
  mkdirSync(folder);
  const settings = {
    egress: { allow: ['anomaly', 'rollup', 'scores', 'gap'] },
    outbox: given.limits,
    upload: { intervalSecs: 1, container: name },
  };
  const child = ChildProcess.start(path.join(import.meta.dirname, 'forwarder-process.ts'), {
    env: {
      FORWARDER: JSON.stringify({ folder, connection: connectionString(gate.port), settings }),
      ...plantEnvironment(round.plant),
    },
  });
  const pressed = new Pressed({ ...given, folder, name, gate, child, round });
  try {
    return await pressed.run();
  } finally {
    await child.kill();
    await gate.close();
    rmSync(folder, { recursive: true });
  }
}

interface Parts extends Given {
  folder: string;
  /** Of the container. */
  name: string;
  gate: TcpGate;
  child: ChildProcess;
  round: Round;
}

/** A forwarder under more than it can deliver. */
class Pressed {
  readonly #given: Parts;
  #url = '';
  #batches = 0;
  #looks = 0;
  #seen: Status | undefined;

  constructor(given: Parts) {
    this.#given = given;
  }

  async run(): Promise<Counts> {
    const { child, gate, round } = this.#given;
    this.#url = (await child.line('listening ')).split(' ')[1]!;
    const pageBytes = this.#limitBytes();
    // Twice the room in a short round, ten times in a long one; 60 kB a batch with its copies.
    const batches = Math.round((pageBytes * (round.size === 'short' ? 1.6 : 10)) / 60_000);
    while (this.#batches < batches && !round.signal.aborted) {
      const linked = this.#batches % 100 < 100 * LINK_SHARE;
      if (linked !== (gate.mode === 'up')) await gate.set(linked ? 'up' : 'down');
      await this.#apply('calm');
    }
    await gate.set('down');
    const { waiting } = this.#seen!;
    mustHold(waiting === null, `with bulk and normal to evict, nothing is applied: ${waiting}`);
    await until(
      async () => {
        await this.#apply('alarms');
        return this.#seen?.waiting !== null || round.signal.aborted;
      },
      { timeoutMs: 120_000, every: 1, what: 'the store to be full of anomalies' },
    ).catch(fails);
    await this.#mustWait();
    await gate.set('up');
    await this.#drain();
    return this.#settle();
  }

  async #apply(mode: 'calm' | 'alarms'): Promise<void> {
    const query = `from=${this.#batches}&batches=${STRIDE}&mode=${mode}`;
    const answer = await fetch(`${this.#url}/test/apply?${query}`, { method: 'POST' });
    if (answer.status !== 200) throw new FaultFound(await answer.text());
    this.#batches += STRIDE;
    this.#look((await answer.json()) as Status);
  }

  /** Bytes on disk that the limits leave to the store. */
  #limitBytes(): number {
    const { limits, volume } = this.#given;
    return Math.min(limits.bytesMax, volume.freeBytes - limits.freeBytesMin);
  }

  #look(status: Status): void {
    const { limits, volume, folder } = this.#given;
    const size = (name: string): number =>
      statSync(`${folder}/forwarder.db${name}`, { throwIfNoEntry: false })?.size ?? 0;
    const taken = size('') + size('-wal') + size('.reserve');
    const cap = limits.bytesMax;
    mustHold(taken <= cap * (1 + TOLERANCE), `${taken} bytes are taken, and ${cap} allowed`);
    const floor = limits.freeBytesMin;
    const free = volume.freeBytes;
    mustHold(free >= floor * (1 - TOLERANCE), `${free} bytes are free, and ${floor} the floor`);
    const { audit, critical, normal, bulk } = status.lanes;
    mustHold(audit.evicted === 0 && critical.evicted === 0, 'critical or audit was evicted');
    if (bulk.evicted! > 0) mustHold(status.overwritten.segments! > 0, 'bulk went before scores');
    if (normal.evicted! > (this.#seen?.lanes.normal.evicted ?? 0)) {
      const left = bulk.pending!;
      mustHold(left <= SEALED_RECORDS_MAX, `normal was evicted with ${left} of bulk left`);
    }
    this.#looks++;
    this.#seen = status;
  }

  /** Nothing is applied and nothing is receipted. */
  async #mustWait(): Promise<void> {
    const before = this.#seen!;
    const held = before.heldBatches;
    await this.#apply('alarms');
    await this.#apply('alarms');
    const { applied, heldBatches } = this.#seen!;
    mustHold(heldBatches > held && applied === before.applied, 'batches were applied without room');
    const { last } = (await (await fetch(`${this.#url}/test/receipts`)).json()) as { last: string };
    const { receipts } = JSON.parse(last) as { receipts: { through: number }[] };
    mustHold(receipts[0]!.through <= applied, 'rows were receipted that were not applied');
  }

  async #drain(): Promise<void> {
    const before = this.#seen!.applied;
    const drained = async (): Promise<boolean> => {
      await fetch(`${this.#url}/test/flush`, { method: 'POST' });
      const status = (await (await fetch(`${this.#url}/status`)).json()) as Status;
      this.#look(status);
      const pending = Object.values(status.lanes).reduce((sum, lane) => sum + lane.pending!, 0);
      return pending === 0 && status.applied > before;
    };
    await until(drained, {
      timeoutMs: 120_000,
      every: 100,
      what: 'the held batch to be applied and everything delivered',
    }).catch(fails);
  }

  async #settle(): Promise<Counts> {
    const { store, name } = this.#given;
    const blobs = await readBack(connectionString(store.port), name);
    const { lanes } = this.#seen!;
    const gaps = blobs.filter(({ kind }) => kind === 'gap').flatMap(({ rows }) => rows);
    for (const lane of ['bulk', 'normal'] as const) {
      const of = gaps.filter(({ source }) => source === `lane:${lane}`);
      const count = of.reduce((sum, gap) => sum + Number(gap.count), 0);
      const { evicted } = lanes[lane];
      mustHold(count === evicted, `gap records count ${count} of ${lane}, and ${evicted} went`);
      const ranges = of.map(({ first, last }) => [Number(first), Number(last)] as const);
      ranges.sort(([a], [b]) => a - b);
      const apart = ranges.every(([first], i) => i === 0 || first > ranges[i - 1]![1]);
      mustHold(apart, `gap records of ${lane} overlap`);
    }
    const kinds = { anomaly: 'critical', rollup: 'normal', scores: 'bulk', gap: 'audit' } as const;
    for (const [kind, lane] of Object.entries(kinds)) {
      const ids = idsOf(blobs, kind);
      mustHold(
        [...ids.values()].every((times) => times === 1),
        `a record of ${kind} is there twice`,
      );
      const { produced, evicted, delivered } = lanes[lane];
      mustHold(
        ids.size === produced! - evicted! && ids.size === delivered,
        `${kind}: ${ids.size} are in storage, of ${produced} that were made and ${evicted} evicted`,
      );
    }
    return {
      looks: this.#looks,
      'records evicted': lanes.bulk.evicted! + lanes.normal.evicted!,
      'gap records': gaps.length,
      'batches held': this.#seen!.heldBatches,
    };
  }
}

const fails = (error: Error): never => {
  throw error instanceof FaultFound ? error : new FaultFound(error.message);
};
