import { setTimeout as pause } from 'node:timers/promises';
import type { Scenario } from '../scenario.ts';
import { exactlyOnce, returnCounts } from './exactly-once.ts';
import { withLine } from './with-store.ts';

/** The line falls silent: nothing is closed, nothing is refused, what was open never answers again. */
export const halfOpen: Scenario = {
  name: 'links-half-open',
  topic: 'links',
  fault:
    'The line to storage falls silent, in the middle of uploads and while connections are idle: connections stay open, new ones are accepted, no byte passes; those open when it comes back stay silent for ever, and neither end is told.',
  holds:
    'Silent connections are noticed; every record is in exactly one blob, and the first blob after each return of the line is delivered within 10 s.',
  plants: [
    {
      name: 'one-minute-of-patience',
      file: 'modules/forwarder/src/domain/pace.ts',
      find: 'const PATIENCE_MS = 5_000;',
      replace: 'const PATIENCE_MS = 60_000;',
    },
    {
      name: 'patient-question',
      file: 'modules/forwarder/src/adapters/blob-target.ts',
      find: 'const ANSWER_MS = 3_000;',
      replace: 'const ANSWER_MS = 60_000;',
    },
  ],
  run: (round) =>
    withLine(round, {}, async ({ forwarder, gate, store }) => {
      const { random } = round;
      const silences = round.size === 'short' ? 2 : 12;
      const longest = round.size === 'short' ? 7_500 : 30_000;
      const returns: number[] = [];
      await forwarder.apply(300);
      await forwarder.until(({ blobs }) => blobs > 0);
      for (let i = 0; i < silences && !round.signal.aborted; i++) {
        const idle = i % 2 === 1;
        gate.bytesPerSecond = idle ? undefined : 20_000;
        if (idle) await forwarder.drain(60_000);
        else await forwarder.apply(random.int(600, 1_200));
        await pause(random.int(0, 500));
        await gate.set('silent');
        await forwarder.apply(random.int(300, 900));
        // Long enough for questions without an answer, or so short that nobody has noticed.
        await pause(idle ? random.int(0, 1_000) : random.int(6_000, longest));
        gate.strand();
        gate.bytesPerSecond = undefined;
        const before = await forwarder.delivered();
        await gate.set('up');
        returns.push(await forwarder.firstDelivery(before, performance.now()));
      }
      await forwarder.drain(60_000);
      return { silences, ...returnCounts(returns), ...(await exactlyOnce(forwarder, store.port)) };
    }),
};
