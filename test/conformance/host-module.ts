// A small module on the module host, for tests of the process as a whole.
import '@holdfast/module-host/node-version';
import { runModule } from '@holdfast/module-host';
import { z } from 'zod';

await runModule({
  name: 'probe',
  version: '0.1.0',
  environment: z.object({
    PROBE_WAY: z.string().default('ordinary'),
    PROBE_NUMBER: z.coerce.number().int().default(1),
  }),
  settings: z.object({ credit: z.int().min(1).max(16).default(4) }),
  async start(host) {
    const way = host.env.PROBE_WAY;
    if (way === 'fail-start')
      throw Object.assign(new Error('no journal'), { code: 'JOURNAL_OPEN' });
    if (way === 'reject') setTimeout(() => Promise.reject(new Error('forgotten promise')), 50);
    if (way === 'throw') {
      setTimeout(() => {
        throw new Error('thrown in a timer');
      }, 50);
    }
    return {
      inputs: {
        in: ({ body }) => {
          if (body.toString().includes('poison')) throw new Error('commit failed');
          host.log.info('Took a message', { body: body.toString() });
        },
      },
      methods: {
        emit: async (payload) => {
          await host.send({ output: 'out', body: JSON.stringify(payload) });
          return { status: 200, payload: null };
        },
      },
      apply: (settings) => host.log.info('Applied', settings),
      status: () => ({ way }),
      flush: async () => ({ flushed: true }),
      notReady: () => undefined,
      stop: async () => {
        if (way === 'hang') await new Promise(() => {});
        host.log.info('Stores closed');
      },
    };
  },
});
