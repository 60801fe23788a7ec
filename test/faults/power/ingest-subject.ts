/**
 * The process whose power is cut: ingest with its data in `<disk>/data` and its input folder `<disk>/input`, on a hub in
 * memory, and a client that posts to it over HTTP. `node ingest-subject.ts <disk> <seed> <steps> <now>`.
 */
import { readdirSync, writeSync } from 'node:fs';
import path from 'node:path';
import { until } from '@holdfast/testkit';
import { aHub, Receiver, startSite } from '../../ingest/site-in-memory.ts';
import { bodyOf, type Post, type Said, type Step, stepsOf } from './ingest-workload.ts';

const [disk, seed, count, startMs] = process.argv.slice(2) as [string, string, string, string];
const input = path.join(disk, 'input');
const say = (said: Said): void => void writeSync(1, `${JSON.stringify(said)}\n`);

const hub = aHub();
const receiver = new Receiver(hub);
receiver.onApplied = (values) => say({ applied: values as number[] });
// The hub's first document, without any setting.
let version = 1;
say({ setting: version });
const site = await startSite({
  ...{ hub, receiver, folder: path.join(disk, 'data') },
  environment: { HOLDFAST_INPUT_DIR: input },
});
for (const step of stepsOf(Number(seed), Number(count))) await run(step);
receiver.silent = false;
await until(() => !readdirSync(input).some((name) => name.includes('.')), { timeoutMs: 20_000 });
process.exit(0);

async function run(step: Step): Promise<void> {
  if (step.do === 'post') await Promise.all(step.posts.map(post));
  else if (step.do === 'receipts') receiver.silent = step.silent;
  else {
    version += 1;
    say({ setting: version });
    hub.setDesired('ingest', { folderPollMs: step.folderPollMs });
    await until(
      () => (site.status() as unknown as { settingsVersion: number }).settingsVersion === version,
    );
    say({ set: version });
  }
}

async function post(sent: Post): Promise<void> {
  say({ sent });
  const headers: Record<string, string> =
    sent.key === undefined ? {} : { 'idempotency-key': sent.key };
  const { status, body } = await site.post(bodyOf(sent, Number(startMs)), headers);
  if (status !== 202) throw new Error(`a post got ${status}: ${JSON.stringify(body)}`);
  say({ answered: sent, receipt: String(body.receipt) });
}
