import type { IncomingMessage } from 'node:http';
import { mustHold, type Scenario } from '../scenario.ts';
import { exactlyOnce } from './exactly-once.ts';
import { withHttp } from './with-store.ts';

/** What a request is about: answers are lost once for each such thing. */
const subject = ({ method = '', url = '' }: IncomingMessage): string => {
  const { pathname, searchParams } = new URL(url, 'http://store');
  return `${method} ${pathname} ${searchParams.get('comp') ?? ''} ${searchParams.get('blockid') ?? ''}`;
};

/** The store commits, and the answer never arrives. */
export const answerLost: Scenario = {
  name: 'links-answer-lost',
  topic: 'links',
  fault:
    'Storage does what it is asked and the connection is cut before the answer: once at the creation of the container, at each blob, at each block and each commit of blocks, and then at a fifth of all requests at random.',
  holds:
    'The repetition meets what is there and changes nothing: no blob is made twice or written over, and every record is in exactly one blob.',
  plants: [
    {
      name: 'written-over',
      file: 'modules/forwarder/src/adapters/blob-target.ts',
      find: "conditions: { ifNoneMatch: '*' },",
      replace: '',
    },
    {
      name: 'name-of-each-try',
      file: 'modules/forwarder/src/adapters/blob-target.ts',
      find: 'this.#container.getBlockBlobClient(upload.name)',
      replace: 'this.#container.getBlockBlobClient(upload.name + Math.random())',
    },
    {
      name: 'taken-is-refused',
      file: 'modules/forwarder/src/adapters/blob-target.ts',
      find: "if (isSame(found, upload.metadata.recordsHash)) return 'exists';",
      replace: '',
    },
  ],
  run: (round) =>
    withHttp(round, { upload: { bytesMax: 4_194_304 } }, async ({ forwarder, gate, store }) => {
      const { random } = round;
      const lost = new Set<string>();
      const written = new Map<string, number>();
      let losses = 0;
      gate.loseAnswer = (message) => {
        const first = !lost.has(subject(message));
        lost.add(subject(message));
        if (!first && !random.chance(0.2)) return false;
        losses++;
        return true;
      };
      gate.onAnswer = ({ method, url = '' }, status) => {
        const { pathname, searchParams } = new URL(url, 'http://store');
        const whole = searchParams.get('comp') !== 'block';
        if (method !== 'PUT' || status !== 201 || !whole) return;
        written.set(pathname, (written.get(pathname) ?? 0) + 1);
      };
      for (let i = 0; i < (round.size === 'short' ? 2 : 20); i++) {
        // Without pattern and in one file this is more than goes in one request at first.
        await forwarder.apply(36_000, { rows: 2_000, noise: true });
        await forwarder.apply(600);
        await forwarder.drain(60_000);
      }
      const twice = [...written].find(([, times]) => times > 1);
      mustHold(twice === undefined, `${twice?.[0]} was written ${twice?.[1]} times`);
      const blocks = [...lost].filter((one) => one.includes(' block ')).length;
      mustHold(blocks > 0, 'no blob was so large that it went in blocks');
      return { 'answers lost': losses, blocks, ...(await exactlyOnce(forwarder, store.port)) };
    }),
};
