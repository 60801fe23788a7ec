/**
 * A forwarder without a hub in a process of its own, so that bugs can be planted into it and its clock be moved. It makes
 * its own scores when told to: `POST /test/apply?first=&last=&seed=`; `POST /test/flush` is the direct method.
 * `FORWARDER` holds folder, connection string and settings as JSON.
 */
import type { ScoresMessage } from '@holdfast/contracts';
import { seeded } from '@holdfast/testkit';
import { settings as schema } from '../../../modules/forwarder/src/config.ts';
import { startForwarder } from '../../../modules/forwarder/src/forwarder.ts';
import { aHost } from '../../../modules/forwarder/src/testing/fake-host.ts';
import { batchOf } from '../../forwarder/rig.ts';

const { folder, connection, settings, seed } = JSON.parse(process.env.FORWARDER ?? '{}');

const fake = aHost(folder, schema.parse(settings), { connectionString: connection, site: 'links' });
const module = await startForwarder(fake.host, { random: seeded(seed).next });
const { http } = fake.host;

/** Scores without any pattern, so that the files are as large as they can be. */
function noisy(batch: ScoresMessage, noise: () => number): ScoresMessage {
  for (const list of batch.assets) list.score = list.score.map((score) => score + noise());
  return batch;
}

http.post('/test/apply', (request) => {
  const { first, last, rows = '100', noise } = request.query as Record<string, string>;
  const random = seeded(Number(first));
  for (let at = Number(first); at <= Number(last); at += Number(rows)) {
    const end = Math.min(Number(last), at + Number(rows) - 1);
    const batch = batchOf(at, end);
    const body = JSON.stringify(noise === undefined ? batch : noisy(batch, random.next));
    module.inputs.scores!({ input: 'scores', body: Buffer.from(body), properties: {} });
  }
  return {};
});
http.post('/test/flush', () => module.flush());
http.get('/test/lines', () => ({ lines: fake.lines }));
http.get('/status', () => module.status());
const address = await http.listen({ host: '127.0.0.1', port: 0 });
console.log(`listening ${address}`);
