/**
 * `npm run bench:peers`: Holdfast and what a user would take instead, on the same readings, with the same model, on
 * this machine, one after the other. Counts what each loses when it is killed and when its disk is full.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { countLossesByFullDisk } from '../test/bench/peers/disk-full.ts';
import { must } from '../test/bench/peers/install.ts';
import { countLossesByKills } from '../test/bench/peers/kills.ts';
import type { Peer, RunningPeer } from '../test/bench/peers/peer.ts';
import { PEERS } from '../test/bench/peers/peers.ts';
import { type PeerResult, type PeersResults, peersTable } from '../test/bench/peers/report.ts';
import { measureSpeed } from '../test/bench/peers/speed.ts';
import { Volume } from '../test/bench/peers/volume.ts';

const HELP = `Usage: npm run bench:peers -- [options]

About a quarter of an hour. What a peer needs is installed into a cache folder, never into this repository.

  --list             names of the peers and how they are set up
  --only <text>      peers whose name begins so; may be given several times
  --skip <run>       leaves out speed, kills or disk; may be given several times
  --quick            shorter runs, for a first look
  --seed <n>         of the moments of the kills (default 1)
  --results <file>   write the results as JSON; peers that were not run keep what the file said of them
  --cache <folder>   where peers are installed (default ~/.cache/holdfast-peers)
`;

const { values } = parseArgs({
  options: {
    list: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
    skip: { type: 'string', multiple: true, default: [] },
    quick: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    results: { type: 'string' },
    cache: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

const VOLUME_MIB = 256;
const seconds = values.quick ? 2 : 5;
const kills = values.quick ? 3 : 10;
const cache =
  values.cache ??
  path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'holdfast-peers');

function selected(): readonly Peer[] {
  const { only } = values;
  const found = PEERS.filter(
    ({ name }) => only === undefined || only.some((text) => name.startsWith(text)),
  );
  if (found.length > 0) return found;
  console.error(`No peer begins with ${only?.join(' or ')}; --list shows them all.`);
  process.exit(2);
}

/** One run of a peer in folders of its own: in a small volume of `volumeMib` MiB when that is given. */
async function fresh<T>(
  peer: Peer,
  work: (peer: RunningPeer, volume: Volume | undefined) => Promise<T>,
  { disturbed = false, volumeMib }: { disturbed?: boolean; volumeMib?: number } = {},
): Promise<T> {
  const folder = mkdtempSync(path.join(tmpdir(), `holdfast-peer-${peer.name}-`));
  const place = {
    ...{ cache, disturbed },
    ...{ work: path.join(folder, 'work'), store: path.join(folder, 'store') },
  };
  mkdirSync(place.work);
  mkdirSync(place.store);
  const volume = volumeMib === undefined ? undefined : await Volume.mount(folder, volumeMib);
  try {
    const running = await peer.start({ ...place, store: volume?.folder ?? place.store });
    try {
      return await work(running, volume);
    } finally {
      await running.stop();
    }
  } finally {
    await volume?.unmount();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function measure(peer: Peer): Promise<PeerResult> {
  const { name, product, configuration, acknowledges, setup, scores } = peer;
  const result: PeerResult = {
    ...{ name, product, configuration, acknowledges, setup, scores },
    ...{ versions: 'not installed', problems: [] },
  };
  const part = async (what: string, run: () => Promise<void>): Promise<void> => {
    if (values.skip.includes(what)) return;
    const startedAt = performance.now();
    try {
      await run();
    } catch (error) {
      result.problems.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    }
    const took = ((performance.now() - startedAt) / 1000).toFixed(0);
    console.log(`  ${what} (${took} s)  ${result.problems.at(-1) ?? ''}`);
  };
  console.log(name);
  await part('install', async () => {
    result.versions = await peer.install(cache);
  });
  if (result.problems.length > 0) return result;
  await part('speed', async () => {
    result.speed = await fresh(peer, (running) => measureSpeed(running, { ...peer, seconds }));
  });
  await part('kills', async () => {
    const options = { seed: Number(values.seed), kills, calmMs: peer.calmMs };
    const run = (running: RunningPeer) => countLossesByKills(running, options);
    result.kills = await fresh(peer, run, { disturbed: true });
  });
  await part('disk', async () => {
    const run = (running: RunningPeer, volume?: Volume) => {
      if (volume === undefined) throw new Error('there is no volume');
      return countLossesByFullDisk(running, { volume, calmMs: peer.calmMs });
    };
    result.diskFull = await fresh(peer, run, { disturbed: true, volumeMib: VOLUME_MIB });
  });
  return result;
}

/** What the file said of peers that this run leaves out stays. */
function merged(file: string, fresh: PeersResults): PeersResults {
  if (values.only === undefined || !existsSync(file)) return fresh;
  const known = (JSON.parse(readFileSync(file, 'utf8')) as PeersResults).peers;
  const all = [...fresh.peers, ...known];
  const peers = PEERS.flatMap(({ name }) => all.find((one) => one.name === name) ?? []);
  return { ...fresh, peers };
}

async function main(): Promise<void> {
  mkdirSync(cache, { recursive: true });
  const peers: PeerResult[] = [];
  for (const peer of selected()) peers.push(await measure(peer));
  const results: PeersResults = {
    date: new Date().toISOString(),
    commit: (await must('git', ['rev-parse', '--short', 'HEAD'])).trim(),
    machine: `${cpus().length} cores of ${cpus()[0]?.model.trim()}, Node ${process.versions.node}`,
    seconds,
    peers,
  };
  console.log(`\n${peersTable(results)}`);
  if (values.results === undefined) return;
  mkdirSync(path.dirname(path.resolve(values.results)), { recursive: true });
  const text = JSON.stringify(merged(values.results, results), null, 2);
  writeFileSync(values.results, `${text}\n`);
}

// Folders, processes and mounts are put away by `exit` listeners and `finally`.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

if (values.help) process.stdout.write(HELP);
else if (values.list) {
  for (const { name, acknowledges, setup } of PEERS)
    console.log(`${name}\n  acknowledges: ${acknowledges}\n  ${setup}`);
} else {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}
