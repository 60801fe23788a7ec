/**
 * `npm run bench [-- --quick] [-- --json]`: what this machine does, each figure beside the limit of its stage measured in
 * the same run, since absolute numbers of two machines or two hours cannot be compared.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { backlogRun, batchedRun, latencyRun, type SiteRun, singlesRun } from './bench/site-runs.ts';
import { stageLimits } from './bench/stages.ts';
import { startSite, untilReady } from './demo/site.ts';
import { MODULES, run } from './steps.ts';

const HELP = `Usage: npm run bench -- [options]

Measures the stages alone, then a whole site with everything durable: one process a module, hub over TLS.

  --quick      a few seconds each, for a first look
  --backlog    also with a backlog of one million readings (some minutes)
  --json       print one JSON object as the last line
`;

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    backlog: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

/** What the images hold is what is measured. */
const BUNDLES = mkdtempSync(path.join(tmpdir(), 'holdfast-bundles-'));

/** Each run has a site of its own, so that none drains what another left. */
async function onFreshSite<T>(run: (site: SiteRun) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-bench-'));
  const site = await startSite({ folder, site: 'bench', say: () => {}, bundles: BUNDLES });
  try {
    await untilReady(site, MODULES, 60_000);
    return await run({ site, seconds: values.quick ? 5 : 20 });
  } finally {
    await site.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

process.once('exit', () => rmSync(BUNDLES, { recursive: true, force: true }));

const n = (value: number, digits = 0): string =>
  Number.isFinite(value)
    ? value.toLocaleString('en-US', { maximumFractionDigits: digits })
    : 'not known';
const ratio = (value: number, limit: number): string => `${n((value / limit) * 100, 0)} %`;

async function main(): Promise<void> {
  console.log('Stage limits, each stage alone in one process');
  const stages = await stageLimits();
  for (const [name, value] of Object.entries(stages))
    console.log(`  ${name.padEnd(58)} ${n(value, 2)}`);

  for (const module of MODULES) {
    const code = await run('node', [
      'scripts/build.ts',
      module,
      '--out',
      path.join(BUNDLES, module),
    ]);
    if (code !== 0) throw new Error(`the bundle of ${module} could not be built`);
  }

  console.log('\nA whole site, batched sources, as fast as it goes');
  const batched = await onFreshSite(batchedRun);
  const slowest = Math.min(
    ...[
      stages['journal, append 1000 a commit, rows/s'],
      stages['inference, window of 12 rows, rows/s'],
      stages['forwarder, 8 assets, rows/s'],
    ].map((value) => value ?? Number.POSITIVE_INFINITY),
  );
  console.log(
    `  reading to applied insight      ${n(batched.appliedPerSecond)} readings/s; target 100,000: ${ratio(batched.appliedPerSecond, 100_000)}; slowest stage alone: ${ratio(batched.appliedPerSecond, slowest)}`,
  );
  console.log(
    `  written to disk                 ${n(batched.writtenPerByte, 2)} bytes per byte of reading; target 3`,
  );
  for (const module of batched.modules) {
    console.log(
      `  ${module.id.padEnd(10)} ${n(module.memoryMb)} MB resident, ${n(module.peakMb)} MB at most; ${n(module.cpuPerSecond, 2)} cores; event loop delay p99 ${n(module.loopDelayMs, 1)} ms; ${n(module.written / 1e6)} MB written`,
    );
  }

  console.log('\nSingle posts, each durable before its 202');
  const singles = await onFreshSite(singlesRun);
  console.log(
    `  64 connections                  ${n(singles.perSecond)} posts/s; target 15,000: ${ratio(singles.perSecond, 15_000)}; p50 ${n(singles.latencyMs.p50, 1)} ms, p99 ${n(singles.latencyMs.p99, 1)} ms`,
  );

  console.log('\nAt 1,000 readings/s');
  const latency = await onFreshSite(latencyRun);
  console.log(
    `  accepted to applied             p50 ${n(latency.latencyMs.p50, 1)} ms (target 15), p99 ${n(latency.latencyMs.p99, 1)} ms (target 50)`,
  );

  let backlog: Awaited<ReturnType<typeof backlogRun>> | undefined;
  if (values.backlog) {
    console.log('\nA backlog of 1,000,000 readings, inference away, then back');
    backlog = await onFreshSite(backlogRun);
    for (const module of backlog.modules) {
      console.log(
        `  ${module.id.padEnd(10)} ${n(module.memoryMb)} MB resident, ${n(module.peakMb)} MB at most; target ${module.id === 'inference' ? 250 : 150}`,
      );
    }
    console.log(`  drained at                      ${n(backlog.drainPerSecond)} readings/s`);
  }
  if (values.json) console.log(JSON.stringify({ stages, batched, singles, latency, backlog }));
}

if (values.help) process.stdout.write(HELP);
else {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}
