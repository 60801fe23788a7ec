// A module process of its own for the conformance suite: takes calls over the IPC channel, commits to a file.
import '@holdfast/module-host/node-version';
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { createTransport, type OutboundMessage } from '@holdfast/transport';

const file = openSync(process.env.PROBE_COMMITTED ?? '', 'a');
const tell = (event: string, value: unknown): void => {
  process.send?.({ event, value });
};
const note =
  (level: string) =>
  (text: string, fields?: Record<string, unknown>): void => {
    process.stdout.write(`${level} ${text} ${JSON.stringify(fields ?? {})}\n`);
  };
const transport = createTransport({
  environment: process.env,
  log: { warn: note('warn'), info: note('info'), debug: note('debug') },
  timing: JSON.parse(process.env.PROBE_TIMING ?? '{}'),
});
let poison: string | undefined;
let putOff = 0;

const started = transport.start({
  inputs: {
    in: ({ body, input: _, ...rest }) => {
      const text = body.toString('utf8');
      if (poison !== undefined && text.includes(poison)) throw new Error('poisoned');
      if (text.includes('not now') && putOff++ < 2) return 'later';
      writeSync(file, `${JSON.stringify({ ...rest, body: text })}\n`);
      fsyncSync(file);
      return undefined;
    },
  },
  methods: {
    echo: (payload) => ({ status: 200, payload }),
    later: async (payload) => ({ status: 200, payload }),
    broken: () => {
      throw new Error('broken on purpose');
    },
  },
  onDesired: (document, version) => tell('desired', { document, version }),
  onState: (state) => tell('state', state),
  onFatal: (error) => {
    // Synchronous, so that it is out before the process is gone.
    writeSync(1, `fatal: ${error.message}\n`);
    process.exit(1);
  },
});
started.catch(() => {});

const calls: Record<string, (argument: never) => Promise<unknown>> = {
  send: (message: OutboundMessage) => transport.send(message),
  report: (patch: Record<string, unknown>) => transport.report(patch),
  close: () => transport.close(),
  failOn: async (text: string) => {
    poison = text;
  },
  // The wall clock alone: the SDK measures its limits with it.
  skipTime: async (ms: number) => {
    const now = Date.now;
    Date.now = () => now() + ms;
  },
};

process.on('message', ({ id, call, argument }: { id: number; call: string; argument: never }) => {
  calls[call]?.(argument).then(
    () => process.send?.({ id }),
    (error: { code?: string; retry?: string; message: string }) =>
      process.send?.({
        id,
        error: { code: error.code, retry: error.retry, message: error.message },
      }),
  );
});
process.on('disconnect', () => {
  closeSync(file);
  process.exit(0);
});
tell('ready', true);
