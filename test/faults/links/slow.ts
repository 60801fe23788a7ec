import { mustHold, type Scenario } from '../scenario.ts';
import { exactlyOnce } from './exactly-once.ts';
import { RETURN_MS_MAX } from './forwarder-under-test.ts';
import { withLine } from './with-store.ts';

/** 64 kbit/s. */
const BYTES_PER_SECOND = 8_000;

/** A line of 64 kbit/s that needs far longer for one blob than any reasonable limit of one request. */
export const slow: Scenario = {
  name: 'links-slow',
  topic: 'links',
  fault:
    'The line to storage carries 64 kbit/s each way for all connections together, and a blob waits that takes longer than a silent request is given (long form: twenty times as long).',
  holds:
    'The blob arrives, in at most two and a half times as long as the line needs for its bytes, and 45 s; an anomaly that comes meanwhile is delivered within 10 s; every record is in exactly one blob.',
  plants: [
    {
      name: 'nothing-learnt-from-silence',
      file: 'modules/forwarder/src/adapters/blob-target.ts',
      find: 'this.#pace.givenUp(bytes);',
      replace: '',
    },
    {
      name: 'backlog-before-anomaly',
      file: 'modules/forwarder/src/upload.ts',
      find: "course(['critical', 'audit'], 250, false),",
      replace: "course(['bulk', 'critical', 'audit'], 250, false),",
    },
  ],
  run: (round) =>
    withLine(round, { upload: { bytesMax: 4_194_304 } }, async ({ forwarder, gate, store }) => {
      gate.bytesPerSecond = BYTES_PER_SECOND;
      const rows = round.size === 'short' ? 6_000 : 100_000;
      // Rows without a pattern take about 8 bytes each in the file.
      const limitMs = 45_000 + (2_500 * rows * 8) / BYTES_PER_SECOND;
      const startedMs = performance.now();
      await forwarder.apply(rows, { rows: 1_000, noise: true });
      const critical = async () => (await forwarder.status()).lanes.critical;
      let fresh = 0;
      while ((await forwarder.pending()) > 0) {
        const { produced } = await critical();
        const appliedMs = performance.now();
        await forwarder.apply(300);
        await forwarder.until(({ lanes }) => lanes.critical.produced > produced);
        while ((await critical()).delivered <= produced) {
          mustHold(
            performance.now() - appliedMs < RETURN_MS_MAX,
            `an anomaly was not delivered within ${RETURN_MS_MAX} ms: ${JSON.stringify(await critical())}`,
          );
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        fresh++;
        await new Promise((resolve) => setTimeout(resolve, 3_000));
        mustHold(
          performance.now() - startedMs < limitMs,
          `the blob is still not delivered after ${limitMs} ms`,
        );
      }
      await forwarder.drain(30_000);
      const seconds = (performance.now() - startedMs) / 1000;
      return {
        'anomalies meanwhile': fresh,
        'kB of the line': Math.round(gate.bytes.toTarget / 1000),
        seconds: Math.round(seconds),
        ...(await exactlyOnce(forwarder, store.port)),
      };
    }),
};
