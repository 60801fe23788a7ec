/** `npm run demo`: a site at work, cut off, and whole again; see `npm run demo -- --help`. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pause, runChaos } from './demo/chaos.ts';
import { Display } from './demo/display.ts';
import { drained } from './demo/drained.ts';
import { falseAlarms, findFaults } from './demo/faults-found.ts';
import { identitiesOf } from './demo/identities.ts';
import { type DemoOptions, HELP, parseOptions } from './demo/options.ts';
import { readBack } from './demo/read-back.ts';
import { allHolds, type Outcome, reportJson, reportLines } from './demo/report.ts';
import { CONTAINER, type Site, startSite, untilReady } from './demo/site.ts';
import { feed, HttpSource } from './demo/source.ts';
import { sum } from './demo/status.ts';
import { type Stage, watch } from './demo/watch.ts';
import { createWorkload, type Workload } from './demo/workload.ts';
import { MODULES } from './steps.ts';

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if ('help' in options) {
    process.stdout.write(HELP);
    return 0;
  }
  if ('problems' in options) {
    for (const problem of options.problems) console.error(problem);
    console.error('npm run demo -- --help shows what is allowed.');
    return 2;
  }
  const display = new Display({
    terminal: process.stdout.isTTY === true && !options.json,
    write: (text) => process.stdout.write(text),
  });
  const workload = await createWorkload(options, Date.now());
  for (const line of workload.description) display.say(line);
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-'));
  const site = await startSite({
    folder,
    site: 'demo',
    say: (line) => display.event(line),
    backoffScale: 0.02,
  });
  const interrupted = new Promise<'interrupted'>((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const)
      process.once(name, () => resolve('interrupted'));
  });
  try {
    const outcome = await Promise.race([play({ site, options, workload, display }), interrupted]);
    if (outcome === 'interrupted') {
      display.say('interrupted');
      return 130;
    }
    for (const line of reportLines(outcome)) display.say(line);
    if (options.keep) {
      for (const line of keepLines(site)) display.say(line);
      await interrupted;
    }
    if (options.json) display.say(JSON.stringify(reportJson(outcome)));
    return allHolds(outcome) ? 0 : 1;
  } finally {
    await site.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The play itself: work, cut, work on, restore, drain, read back. */
async function play(parts: {
  site: Site;
  options: DemoOptions;
  workload: Workload;
  display: Display;
}): Promise<Outcome> {
  const { site, options, workload, display } = parts;
  await untilReady(site, MODULES, 60_000);
  display.event(
    `modules ready: ${MODULES.map((module) => `${module} ${site.url(module)}`).join(', ')}`,
  );

  // A minute's wait before an ordinary upload is right for a site, and too long for who watches.
  await site.edge.patchTwin('forwarder', { upload: { intervalSecs: 2 } });
  const source = new HttpSource({ url: site.url('ingest'), token: site.token });
  const stage: Stage = { phase: 'feeding', linkUp: true, progress: 0, source: source.counts };
  const watching = new AbortController();
  const feeding = new AbortController();
  const watched = watch({ site, stage, display, signal: watching.signal });
  const chaos = options.chaos
    ? runChaos({
        edge: site.edge,
        seed: options.seed,
        signal: feeding.signal,
        say: (line) => display.event(line),
      })
    : Promise.resolve(0);
  const link = cutAndRestore({ site, options, stage, display, signal: feeding.signal });

  const startedAt = performance.now();
  const progress = setInterval(() => {
    stage.progress =
      workload.rowCount === undefined ? undefined : source.counts.fed / workload.rowCount;
  }, 250);
  await feed({
    rows: workload.rows(),
    rate: options.rate,
    source,
    signal: new AbortController().signal,
  });
  const feedSeconds = (performance.now() - startedAt) / 1000;
  clearInterval(progress);
  feeding.abort();
  const kills = await chaos;
  await link;

  stage.phase = 'draining';
  stage.progress = 1;
  const drainStartedAt = performance.now();
  const { ingest, forwarder } = await drained(site);
  const drainSeconds = (performance.now() - drainStartedAt) / 1000;
  watching.abort();
  await watched;
  display.clear();

  const storage = await readBack(site.storage.connectionString(), CONTAINER);
  return {
    source: source.counts,
    ingest,
    forwarder,
    storage,
    identities: identitiesOf({ source: source.counts, ingest, forwarder, storage }),
    findings: findFaults(workload.faults, storage.anomalies, forwarder.unscored),
    falseAlarms: falseAlarms(workload.faults, storage.anomalies),
    kills,
    restarts: sum(site.edge.modules().map(({ restarts }) => restarts)),
    feedSeconds,
    drainSeconds,
  };
}

/** Takes the link away for the middle of the feeding; it is always up again at the end. */
async function cutAndRestore(parts: {
  site: Site;
  options: DemoOptions;
  stage: Stage;
  display: Display;
  signal: AbortSignal;
}): Promise<void> {
  const { site, options, stage, display, signal } = parts;
  await pause(options.seconds * 1000 * 0.25, signal);
  await site.setLink(false);
  stage.linkUp = false;
  display.event('link cut: the site goes on by itself');
  await pause(options.seconds * 1000 * 0.35, signal);
  await site.setLink(true);
  stage.linkUp = true;
  display.event('link restored');
}

const keepLines = (site: Site): string[] => [
  '',
  'The site stays up; Ctrl-C ends it. Try:',
  ...MODULES.map((module) => `  curl ${site.url(module)}/status`),
  `  curl ${site.url('forwarder')}/v1/anomalies`,
  `  curl ${site.url('ingest')}/metrics`,
  `  curl -X POST ${site.url('ingest')}/v1/readings -H 'authorization: Bearer ${site.token}' -H 'content-type: application/json' -d '{"asset":"pump-01","t":${Date.now()},"values":{"Pressure":0.4}}'`,
];

let exitCode: number;
try {
  exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  exitCode = 1;
}
// After an interruption the play would still wait for a site that is gone.
process.exit(exitCode);
