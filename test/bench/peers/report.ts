import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { DiskFull } from './disk-full.ts';
import type { Kills } from './kills.ts';
import type { Peer } from './peer.ts';
import { BATCH_ROWS, BATCHES_AT_ONCE, MODEST_RATE, SINGLES_AT_ONCE, type Speed } from './speed.ts';

/** What one run of one peer has shown; a part is missing when it was left out or not possible. */
export interface PeerResult
  extends Pick<Peer, 'name' | 'product' | 'configuration' | 'acknowledges' | 'setup' | 'scores'> {
  versions: string;
  speed?: Speed;
  kills?: Kills;
  diskFull?: DiskFull;
  /** Why the peer or a part of it did not run. */
  problems: string[];
}

/** Contents of `docs/benchmarks/peers.json`. */
export interface PeersResults {
  date: string;
  commit: string;
  machine: string;
  seconds: number;
  peers: PeerResult[];
}

const n = (value: number, digits = 0): string =>
  Number.isFinite(value)
    ? value.toLocaleString('en-US', { maximumFractionDigits: digits })
    : 'not known';

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map((_, column) => (column === 0 ? '---' : '---:')), ...rows]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');

const title = ({ product, configuration, scores }: PeerResult): string =>
  `${product}, ${configuration}${scores ? '' : ' (no model: takes in and stores only)'}`;

/** The comparison as Markdown, without a heading. */
export function peersTable(results: PeersResults): string {
  const { peers } = results;
  return `${[
    `Measured on ${results.date.slice(0, 10)} at commit ${results.commit}; ${results.machine}. Every peer got the same
8-signal readings and ran the same ONNX model, where it can, one after the other on this machine. *Singles*: one
reading a message, ${SINGLES_AT_ONCE} waiting at once. *Batches*: ${BATCH_ROWS} readings a message, ${BATCHES_AT_ONCE} at once. Each for ${results.seconds} s; *stored* is what
came into the store meanwhile, *acknowledged* what its sources may forget; where a peer acknowledges before it stores, the load waits for its store. *Acknowledged*: time to the acknowledgement of one reading, ${MODEST_RATE} a second.`,
    speedTable(peers),
    `Losses. *Lost*: the source has an acknowledgement, and the reading is not in the store. *Twice*: it is there more than once.
Killed: a process picked by chance gets SIGKILL at a moment picked by chance, and is started again. Disk full: the volume of
the store is filled to the last byte for some seconds, then there is room again. Undisturbed: the runs of the table above.`,
    lossTable(peers),
    verdict(peers),
    'How each is set up:',
    peers.map(setupLine).join('\n'),
    NOTES,
  ].join('\n\n')}\n`;
}

function speedTable(peers: readonly PeerResult[]): string {
  const head = [
    ...[
      '',
      'singles/s, stored / acknowledged',
      'batched readings/s, stored / acknowledged',
      'acknowledged p50 / p99 ms',
    ],
    ...['CPU s per million', 'memory MB', 'bytes written a reading'],
  ];
  const rows = peers.map((peer) => {
    const { speed } = peer;
    if (speed === undefined) return [title(peer), ...Array(6).fill('not run')];
    return [
      title(peer),
      `${n(speed.singlesPerSecond)} / ${n(speed.acknowledgedPerSecond.singles)}`,
      `${n(speed.batchedPerSecond)} / ${n(speed.acknowledgedPerSecond.batched)}`,
      `${n(speed.latencyMs.p50, 1)} / ${n(speed.latencyMs.p99, 1)}`,
      n(speed.cpuPerMillion),
      n(speed.memoryMb),
      n(speed.writtenPerReading),
    ];
  });
  return table(head, rows);
}

function lossTable(peers: readonly PeerResult[]): string {
  const head = [
    ...['', 'undisturbed: lost / twice', 'killed: lost / twice', 'back after a kill, s'],
    ...[
      'disk full: lost / twice',
      'acknowledged while full',
      'back by itself',
      'the source was told',
    ],
  ];
  const pair = (part: { lost: number; doubled: number } | undefined): string =>
    part === undefined ? 'not run' : `${bold(part.lost)} / ${bold(part.doubled)}`;
  const rows = peers.map((peer) => {
    const { speed, kills, diskFull } = peer;
    return [
      title(peer),
      pair(speed?.tally),
      kills === undefined
        ? 'not run'
        : `${pair(kills)} of ${n(kills.acknowledged)}, ${kills.kills} kills`,
      kills === undefined ? 'not run' : n(kills.silentMsMax / 1000, 1),
      diskFull === undefined ? 'not run' : `${pair(diskFull)} of ${n(diskFull.acknowledged)}`,
      diskFull === undefined ? '' : n(diskFull.acknowledgedWhileFull),
      diskFull === undefined ? '' : back(diskFull),
      diskFull === undefined ? '' : told(diskFull),
    ];
  });
  return table(head, rows);
}

/** Who kept the promise of this bench in every run, and who of these is the fastest: whoever it is. */
function verdict(peers: readonly PeerResult[]): string {
  const able = peers.filter(({ scores }) => scores);
  const clean = able.filter(({ speed, kills, diskFull }) =>
    [speed?.tally, kills, diskFull].every((part) => part?.lost === 0 && part.doubled === 0),
  );
  const fastest = (figure: (speed: Speed) => number): string => {
    const of = (peer: PeerResult): number => (peer.speed === undefined ? 0 : figure(peer.speed));
    const best = clean.toSorted((a, b) => of(b) - of(a))[0];
    return best === undefined ? 'nobody' : `${title(best)} (${n(of(best))}/s)`;
  };
  if (clean.length === 0)
    return 'Nobody that runs the model came through all runs without loss and without copies.';
  return `Of those that run the model, without loss and without copies in all runs: ${clean.map(title).join('; ')}. The fastest of
these with single readings: ${fastest((speed) => speed.singlesPerSecond)}; in batches: ${fastest((speed) => speed.batchedPerSecond)}.`;
}

const bold = (count: number): string => (count === 0 ? '0' : `**${n(count)}**`);

function back({ recoveredMs, restarts }: DiskFull): string {
  const ends = restarts === 0 ? 'no restart' : `${n(restarts)} restarts`;
  return recoveredMs === undefined
    ? `**no**, ${ends}`
    : `after ${n(recoveredMs / 1000, 1)} s, ${ends}`;
}

const told = ({ told, acknowledgedWhileFull }: DiskFull): string =>
  Object.entries(told)
    .map(([what, count]) => `${what} (${n(count)})`)
    .join(', ') || (acknowledgedWhileFull > 0 ? 'nothing: acknowledged on' : 'no acknowledgement');

function setupLine(peer: PeerResult): string {
  const problems = peer.problems.map((problem) => ` Not run: ${problem}.`).join('');
  return `- **${title(peer)}** (${peer.versions}). Acknowledges: ${peer.acknowledges}. ${peer.setup}.${problems}`;
}

const NOTES = `Read it with care. The peers do less: none of them detects, rolls up, uploads, speaks TLS or survives a lost
store, and a single process needs no messages between modules. Holdfast keeps a reading's score, not its raw values, once it
is applied. Configurations are ours, in \`test/bench/peers\`; the authors of a peer may well tune it better. Not here, because no
package registry of this machine carries them in a form that runs: eKuiper, Vector, Fluent Bit; nor Azure's edge hub, without which
azure-iot-device would be measured on a hub of ours. A kill is not a power
cut: what a peer has written without a sync survives the one and not the other.`;

/** The section of docs/benchmarks.md, from the last results; undefined when there are none. */
export function peersSection(root: string): string | undefined {
  const file = path.join(root, 'docs/benchmarks/peers.json');
  if (!existsSync(file)) return undefined;
  return peersTable(JSON.parse(readFileSync(file, 'utf8')) as PeersResults);
}
