import { setTimeout as pause } from 'node:timers/promises';
import type { Scenario } from '../scenario.ts';
import { exactlyOnce, returnCounts } from './exactly-once.ts';
import { withLine } from './with-store.ts';

/** A link by satellite in bad weather. */
export const lossy: Scenario = {
  name: 'links-lossy',
  topic: 'links',
  fault:
    'The line to storage has a round trip of 600 ms and loses 2 % of its packets, and is cut now and then. The losses are a model in a proxy (this kernel has no netem): a lost packet holds back what follows it for a round trip or for the retransmission timeout, doubling, and bounds the rate as TCP does.',
  holds:
    'Every record is in exactly one blob, and the first blob after each return of the line is delivered within 10 s, on this line too.',
  plants: [
    {
      name: 'question-of-300-ms',
      file: 'modules/forwarder/src/adapters/blob-target.ts',
      find: 'const ANSWER_MS = 3_000;',
      replace: 'const ANSWER_MS = 300;',
    },
    {
      name: 'delivered-before-confirmed',
      file: 'modules/forwarder/src/upload.ts',
      find: 'const outcome = await target.put(',
      replace: 'sealing.delivered(blob); const outcome = await target.put(',
    },
  ],
  run: (round) =>
    withLine(round, {}, async ({ forwarder, gate, store }) => {
      const { random } = round;
      const cuts = round.size === 'short' ? 1 : 10;
      Object.assign(gate, { latencyMs: 300, loss: 0.02 });
      const returns: number[] = [];
      for (let i = 0; i < cuts && !round.signal.aborted; i++) {
        await forwarder.apply(random.int(300, 1_500));
        await pause(random.int(2_000, 4_000));
        await gate.set('down');
        await forwarder.apply(300);
        await pause(random.int(500, 3_000));
        const before = await forwarder.delivered();
        await gate.set('up');
        returns.push(await forwarder.firstDelivery(before, performance.now()));
      }
      await forwarder.drain(120_000);
      return { cuts, ...returnCounts(returns), ...(await exactlyOnce(forwarder, store.port)) };
    }),
};
