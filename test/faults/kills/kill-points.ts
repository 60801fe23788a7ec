/** A process of a site that may be killed. */
export type Victim = 'ingest' | 'inference' | 'forwarder' | 'edgeHub';

/** A place in the product at which a process kills itself. */
export interface KillPoint {
  /** Unique; begins with the hop: `03-before-commit`. */
  name: string;
  /** Row of the table in docs/flow.md. */
  hop: number;
  /** Whether the reading is about to get into that row, or just has. */
  side: 'before' | 'after';
  process: Victim;
  /** From the root of the repository. */
  file: string;
  /** Text that stands exactly once in the file, from the beginning of a statement to the end of one. */
  anchor: string;
  /** Whether the kill stands before or behind the anchor. */
  place: 'before' | 'behind';
  /** Expression over what is in scope there; the kill counts only where it is true. */
  when?: string;
  /** The kill comes so many ms later, while what follows the point is under way; 0 is the next turn of the event loop. */
  delayMs?: number;
}

const INGEST = 'modules/ingest/src';
const INFERENCE = 'modules/inference/src';
const FORWARDER = 'modules/forwarder/src';
const HUB = 'edge/src/hub';

/** A table: hop, side, what happens there, process, file, anchor, place. */
const point = (
  hop: number,
  side: KillPoint['side'],
  what: string,
  at: Pick<KillPoint, 'process' | 'file' | 'anchor' | 'place' | 'when' | 'delayMs'>,
): KillPoint => ({ name: `${String(hop).padStart(2, '0')}-${side}-${what}`, hop, side, ...at });

const HTTP = { process: 'ingest', file: `${INGEST}/adapters/http-source.ts` } as const;
const GROUP = { process: 'ingest', file: 'packages/journal/src/group-commit.ts' } as const;
const PUMP = { process: 'ingest', file: `${INGEST}/stream-pump.ts` } as const;
const RECEIPTS_IN = {
  process: 'ingest',
  file: `${INGEST}/pipeline.ts`,
  anchor: 'this.accounts.advanced(() => pump.receipt(receipt, recorded));',
} as const;
const PRUNING = { process: 'ingest', file: 'packages/journal/src/housekeeping.ts' } as const;
const SCORING = { process: 'inference', file: `${INFERENCE}/pipeline.ts` } as const;
const APPLYING = { process: 'forwarder', file: `${FORWARDER}/pipeline.ts` } as const;
const RECEIPTS_OUT = { process: 'forwarder', file: `${FORWARDER}/receipts.ts` } as const;
const OUTBOX = {
  process: 'forwarder',
  file: `${FORWARDER}/apply.ts`,
  anchor: 'this.#outbox.append(this.#records, rules.kept, wallMs);',
} as const;
const UPLOAD = { process: 'forwarder', file: `${FORWARDER}/upload.ts` } as const;
const SEALING = {
  process: 'forwarder',
  file: `${FORWARDER}/adapters/sealing.ts`,
  anchor: "this.#close(blob, 'delivered');",
} as const;

const STORED = { process: 'edgeHub', file: `${HUB}/inbox.ts` } as const;
const DELIVERY = { process: 'edgeHub', file: `${HUB}/module-delivery.ts` } as const;

/** The hub stores a message of one output. */
function storing(hop: number, output: string): KillPoint[] {
  const when = `arrivals.some(({ message }) => message.source.endsWith('/outputs/${output}'))`;
  const commit = 'stored = this.#store.commit(arrivals, settled, this.#ports.nowMs());';
  const done = 'for (const arrival of arrivals) arrival.done();';
  return [
    point(hop, 'before', 'hub-stores', { ...STORED, anchor: commit, place: 'before', when }),
    point(hop, 'after', 'hub-stored', { ...STORED, anchor: done, place: 'before', when }),
    point(hop, 'after', 'hub-acknowledged', {
      ...STORED,
      ...{ anchor: done, place: 'behind', when, delayMs: 0 },
    }),
  ];
}

/** The hub delivers a message to one input. */
function delivering(hop: number, input: string): KillPoint[] {
  const publish = 'this.#ports.publish(next.input.name, next.message);';
  const when = `next.input.name === '${input}'`;
  const settle = 'this.#ports.settle(inFlight.queue, inFlight.entry);';
  const acknowledged = `inFlight.message.source.endsWith('/outputs/${input}')`;
  return [
    point(hop, 'before', 'hub-delivers', { ...DELIVERY, anchor: publish, place: 'before', when }),
    point(hop, 'after', 'hub-delivered', {
      ...DELIVERY,
      ...{ anchor: publish, place: 'behind', when, delayMs: 1 },
    }),
    point(hop, 'after', 'hub-settles', {
      ...DELIVERY,
      ...{ anchor: settle, place: 'behind', when: acknowledged },
    }),
  ];
}

/** Places on both sides of every hop of docs/flow.md, in its order. */
export const KILL_POINTS: readonly KillPoint[] = [
  point(1, 'before', 'request', {
    ...HTTP,
    ...{ anchor: 'const query = readQuery(request.query);', place: 'before' },
  }),
  point(1, 'after', 'body', {
    ...HTTP,
    ...{ anchor: "const read = (): Intake => this.#read(format, body.toString('utf8'), query);" },
    place: 'before',
  }),

  point(2, 'before', 'wait', {
    ...GROUP,
    ...{ anchor: 'this.#rows += readings.length;', place: 'before' },
  }),
  point(2, 'after', 'wait', {
    ...GROUP,
    ...{ anchor: 'this.#rows += readings.length;', place: 'behind' },
  }),

  point(3, 'before', 'journal', {
    ...GROUP,
    ...{ anchor: 'positions = this.#journal.appendAll(group);', place: 'before' },
  }),
  point(3, 'before', 'commit', {
    ...{ process: 'ingest', file: 'packages/journal/src/insert-rows.ts', place: 'behind' },
    anchor: 'stream.insert(place.first, place.last, body);',
  }),
  point(3, 'after', 'commit', {
    ...GROUP,
    ...{ anchor: 'positions = this.#journal.appendAll(group);', place: 'behind' },
  }),
  point(3, 'after', 'answer', {
    ...HTTP,
    ...{ anchor: 'const body = answerText(positions);', place: 'behind' },
  }),
  point(3, 'after', 'answered', {
    ...HTTP,
    ...{ anchor: 'this.#parts.metrics.answered(answer.status);', place: 'behind', delayMs: 0 },
  }),

  point(4, 'before', 'send', {
    ...PUMP,
    ...{ anchor: "this.#ports.send({ output: 'readings'", place: 'before' },
  }),
  ...storing(4, 'readings'),
  point(4, 'after', 'sent', {
    ...PUMP,
    ...{ anchor: 'this.#ports.onSent(body.length);', place: 'behind' },
  }),

  ...delivering(5, 'readings'),
  point(5, 'before', 'queue', {
    ...SCORING,
    ...{ anchor: 'this.#queue.push({ body, lost });', place: 'before' },
  }),
  point(5, 'after', 'queue', {
    ...SCORING,
    ...{ anchor: 'this.#queue.push({ body, lost });', place: 'behind' },
  }),
  point(5, 'after', 'score', {
    ...SCORING,
    ...{ anchor: 'const routed = await this.#score(batch);', place: 'before' },
  }),

  point(6, 'before', 'send', {
    ...SCORING,
    ...{ anchor: 'await this.#sender.send(scores, this.#beside(routed, lost));', place: 'before' },
  }),
  ...storing(6, 'scores'),
  point(6, 'after', 'sent', {
    ...SCORING,
    ...{ anchor: 'await this.#sender.send(scores, this.#beside(routed, lost));', place: 'behind' },
  }),

  ...delivering(7, 'scores'),
  point(7, 'before', 'read', {
    ...APPLYING,
    ...{ anchor: 'const scores = this.#reader.read(message);', place: 'before' },
  }),
  point(7, 'after', 'read', {
    ...APPLYING,
    ...{ anchor: 'const scores = this.#reader.read(message);', place: 'behind' },
  }),

  point(8, 'before', 'apply', {
    ...{ process: 'forwarder', file: `${FORWARDER}/apply.ts`, place: 'before' },
    anchor: 'this.#store.setPosition(message.stream, message.epoch, message.last);',
  }),
  point(8, 'before', 'commit', {
    ...APPLYING,
    ...{ anchor: 'application.finish(this.rules, clock.wallMs());', place: 'behind' },
  }),
  point(8, 'after', 'commit', {
    ...APPLYING,
    ...{ anchor: 'this.#receiver.committed();', place: 'before' },
  }),

  point(9, 'before', 'send', {
    ...RECEIPTS_OUT,
    ...{ anchor: 'const receipts = this.#take();', place: 'behind' },
  }),
  ...storing(9, 'receipts'),
  ...delivering(9, 'receipts'),
  point(9, 'after', 'sent', { ...RECEIPTS_OUT, anchor: 'this.sent++;', place: 'behind' }),
  point(9, 'before', 'journal', { ...RECEIPTS_IN, place: 'before' }),
  point(9, 'after', 'journal', { ...RECEIPTS_IN, place: 'behind' }),
  point(9, 'before', 'pruning', {
    ...PRUNING,
    ...{ anchor: 'table.saveReceipts(partitions);', place: 'behind' },
  }),
  point(9, 'after', 'pruning', {
    ...PRUNING,
    ...{ anchor: 'let more = done.keys;', place: 'before' },
  }),

  point(10, 'before', 'outbox', { ...OUTBOX, place: 'before' }),
  point(10, 'after', 'outbox', { ...OUTBOX, place: 'behind' }),
  point(10, 'after', 'commit', {
    ...APPLYING,
    ...{ anchor: 'application.keep();', place: 'behind' },
  }),

  point(11, 'before', 'seal', {
    ...{ process: 'forwarder', file: `${FORWARDER}/adapters/sealing.ts`, place: 'before' },
    anchor:
      'for (const row of rows) this.#assign.run(number, sealedSum(outboxSum(row), number), row.number);',
  }),
  point(11, 'after', 'seal', {
    ...UPLOAD,
    ...{ anchor: 'const outcome = await target.put(', place: 'before' },
  }),
  point(11, 'after', 'upload', {
    ...UPLOAD,
    ...{ anchor: 'const outcome = await target.put(', place: 'before', delayMs: 3 },
  }),
  point(11, 'after', 'uploaded', {
    ...UPLOAD,
    ...{ anchor: "onStep?.('uploaded', blob);", place: 'before' },
  }),

  point(12, 'before', 'settle', { ...SEALING, place: 'before' }),
  point(12, 'before', 'commit', { ...SEALING, place: 'behind' }),
  point(12, 'after', 'commit', {
    ...UPLOAD,
    ...{ anchor: "onStep?.('settled', blob);", place: 'before' },
  }),
];
