import { setTimeout as pause } from 'node:timers/promises';
import { mustHold, type Scenario } from '../scenario.ts';
import { exactlyOnce } from './exactly-once.ts';
import { withLine } from './with-store.ts';

/** A line that never holds for as long as one blob needs. */
export const flapping: Scenario = {
  name: 'links-flapping',
  topic: 'links',
  fault:
    'The line to storage carries 16 kB/s, holds for 2.5 to 4.5 s, and is then down for up to a second, over and over; a blob waits that needs longer than the line ever holds.',
  holds:
    'The blob arrives although the line never stops flapping, in no more flaps than its bytes explain, and every record is in exactly one blob.',
  plants: [
    {
      name: 'blocks-sent-again',
      file: 'modules/forwarder/src/adapters/stage-blocks.ts',
      find: 'const before = await stagedBefore(blob, ask);',
      replace: 'const before = (await stagedBefore(blob, ask)) && [];',
    },
    {
      name: 'never-in-blocks',
      file: 'modules/forwarder/src/adapters/blob-target.ts',
      find: '#mayStage = true;',
      replace: '#mayStage = false;',
    },
    {
      name: 'delivered-before-confirmed',
      file: 'modules/forwarder/src/upload.ts',
      find: 'const outcome = await target.put(',
      replace: 'sealing.delivered(blob); const outcome = await target.put(',
    },
  ],
  run: (round) =>
    withLine(round, { upload: { bytesMax: 4_194_304 } }, async ({ forwarder, gate, store }) => {
      const { random } = round;
      gate.bytesPerSecond = 16_000;
      await forwarder.apply(round.size === 'short' ? 10_000 : 60_000, { rows: 1_000, noise: true });
      let flaps = 0;
      while ((await forwarder.pending()) > 0 && !round.signal.aborted) {
        mustHold(
          flaps < (round.size === 'short' ? 14 : 80),
          `after ${flaps} flaps ${await forwarder.pending()} records still wait: ${(await forwarder.status()).lastError}`,
        );
        await pause(random.int(2_500, 4_500));
        await gate.set('down');
        await pause(random.int(100, 1_000));
        await gate.set('up');
        flaps++;
      }
      await forwarder.drain(30_000);
      return { flaps, ...(await exactlyOnce(forwarder, store.port)) };
    }),
};
