import { setTimeout as pause } from 'node:timers/promises';
import type { Scenario } from '../scenario.ts';
import { exactlyOnce, returnCounts } from './exactly-once.ts';
import { withLine } from './with-store.ts';

/** The line is cut again and again, at any moment of an upload, for seconds or for as long as pauses take to grow. */
export const cut: Scenario = {
  name: 'links-cut',
  topic: 'links',
  fault:
    'The line to storage is cut at random moments, in the middle of uploads too: open connections are reset, new ones refused, for up to 6 s (long form: 60 s), while scores keep coming.',
  holds:
    'Every record is in exactly one blob, the books of the lanes agree with the store, and the first blob after each return of the line is delivered within 10 s.',
  plants: [
    {
      name: 'pauses-without-bound',
      file: 'modules/forwarder/src/link.ts',
      find: 'baseMs: 500, capMs: 2_500',
      replace: 'baseMs: 60_000, capMs: 600_000',
    },
    {
      name: 'delivered-before-confirmed',
      file: 'modules/forwarder/src/upload.ts',
      find: 'const outcome = await target.put(',
      replace: 'sealing.delivered(blob); const outcome = await target.put(',
    },
    {
      name: 'failed-blob-forgotten',
      file: 'modules/forwarder/src/upload.ts',
      find: 'else this.link.failed(failure);',
      replace: 'else { this.link.failed(failure); sealing.delivered(blob); }',
    },
  ],
  run: (round) =>
    withLine(round, {}, async ({ forwarder, gate, store }) => {
      const { random } = round;
      const cuts = round.size === 'short' ? 2 : 10;
      const returns: number[] = [];
      gate.bytesPerSecond = 40_000;
      await forwarder.apply(300);
      for (let i = 0; i < cuts && !round.signal.aborted; i++) {
        await forwarder.apply(random.int(300, 1_200));
        await pause(random.int(0, 800));
        await gate.set('down');
        await forwarder.apply(random.int(300, 900));
        const longest = i > 0 ? 2_000 : round.size === 'short' ? 6_000 : 60_000;
        await pause(random.int(longest / 2, longest));
        const before = await forwarder.delivered();
        await gate.set('up');
        returns.push(await forwarder.firstDelivery(before, performance.now()));
      }
      await forwarder.drain(60_000);
      return { cuts, ...returnCounts(returns), ...(await exactlyOnce(forwarder, store.port)) };
    }),
};
