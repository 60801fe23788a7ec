import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import type { Ends } from './world.ts';

type Part = 'sender' | 'receiver' | 'round-trip';

/** A wrong program: the real one with one piece of its text replaced. */
export interface PlantedBug {
  name: string;
  part: Part;
  text: string;
  becomes: string;
}

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: 'the sender trims one row too many (off by one)',
    part: 'sender',
    text: 'this.#receipted = through;',
    becomes: 'this.#receipted = through + 1;',
  },
  {
    name: 'the sender accepts a receipt of another epoch',
    part: 'sender',
    text: 'receipt.epoch !== this.#epoch',
    becomes: 'false',
  },
  {
    name: 'the sender never sends again',
    part: 'sender',
    text: 'nowMs >= this.#timerMs',
    becomes: 'false',
  },
  {
    name: 'a timeout goes on forward instead of back to the receipt',
    part: 'sender',
    text: 'this.#cursor = this.#base;\n    this.#inFlight = [];',
    becomes: 'this.#inFlight = [];',
  },
  {
    name: 'a timeout goes back one row too few (off by one)',
    part: 'sender',
    text: 'this.#cursor = this.#base;\n    this.#inFlight = [];',
    becomes: 'this.#cursor = Math.min(this.#cursor, this.#base + 1);\n    this.#inFlight = [];',
  },
  {
    name: 'one batch more than the credit is sent (off by one)',
    part: 'sender',
    text: 'this.#inFlight.length < this.#window',
    becomes: 'this.#inFlight.length <= this.#window',
  },
  {
    name: 'a cumulative receipt is treated as one for exactly one batch',
    part: 'sender',
    text: 'this.#inFlight[0].last <= through',
    becomes: 'this.#inFlight[0].last === through',
  },
  {
    name: 'a late receipt takes the position back',
    part: 'sender',
    text: 'receipt.through <= this.#receipted',
    becomes: 'receipt.through < 0',
  },
  {
    name: 'a receipt for rows from before a timeout leaves the cursor behind it',
    part: 'sender',
    text: 'this.#cursor = Math.max(this.#cursor, through);',
    becomes: '',
  },
  {
    name: 'the timer ends with the first receipt, although batches are in flight',
    part: 'sender',
    text: 'this.#timerMs = this.#inFlight.length > 0 ? nowMs + this.#roundTrip.timeoutMs : undefined;',
    becomes: 'this.#timerMs = undefined;',
  },
  {
    name: 'the window stays open after a timeout, so an outage floods the queue',
    part: 'sender',
    text: 'this.#window = 1;',
    becomes: '',
  },
  {
    name: 'the timeout does not grow, so an outage floods the queue',
    part: 'round-trip',
    text: 'this.#bounded(this.#timeout * 2)',
    becomes: 'this.#timeout',
  },
  {
    name: 'the receiver accepts a gap of one row (off by one)',
    part: 'receiver',
    text: 'batch.first > next',
    becomes: 'batch.first > next + 1',
  },
  {
    name: 'the receiver applies again what it has of an overlapping batch',
    part: 'receiver',
    text: 'apply.push({ batch, from: next })',
    becomes: 'apply.push({ batch, from: batch.first })',
  },
  {
    name: 'the receiver applies an old batch and goes back',
    part: 'receiver',
    text: 'batch.last < next',
    becomes: 'false',
  },
  {
    name: 'a receipt goes out before the commit',
    part: 'receiver',
    text: 'this.#unpark(place, apply);\n    this.#open.add(place);',
    becomes:
      'this.#unpark(place, apply); place.committed = place.applied; place.dirty = true; this.#open.add(place);',
  },
  {
    name: 'the receiver ignores the epoch',
    part: 'receiver',
    text: 'keyOf = (stream: string, epoch: string): string =>',
    becomes: "keyOf = (stream: string, _epoch: string, epoch = ''): string =>",
  },
  {
    name: 'parking has no bound',
    part: 'receiver',
    text: 'dropped: this.#bound(batch.stream)',
    becomes: 'dropped: 0',
  },
  {
    name: 'a parked batch is applied although it was overtaken',
    part: 'receiver',
    text: 'if (batch.last <= place.applied) continue;',
    becomes: '',
  },
  {
    name: 'a parked batch is applied before the row that it waits for (off by one)',
    part: 'receiver',
    text: 'first > place.applied + 1',
    becomes: 'first > place.applied + 2',
  },
  {
    name: 'a parked batch that overlaps is applied from its first row',
    part: 'receiver',
    text: 'from: place.applied + 1',
    becomes: 'from: due.first',
  },
  {
    name: 'an old batch gets no receipt, so a lost receipt is never given again',
    part: 'receiver',
    text: "place.dirty = true;\n      return { apply, outcome: 'duplicate', dropped: 0 };",
    becomes: "return { apply, outcome: 'duplicate', dropped: 0 };",
  },
  {
    name: 'no receipt is owed after a commit',
    part: 'receiver',
    text: 'place.committed = place.applied;\n      place.dirty = true;',
    becomes: 'place.committed = place.applied;',
  },
  {
    name: 'a receiver that lost its store waits for ever for rows that are pruned',
    part: 'receiver',
    text: 'base <= place.applied',
    becomes: 'true',
  },
  {
    name: 'the receiver passes over what a lost store had without saying so',
    part: 'receiver',
    text: 'return { skipped, ...this.#sort(place, batch, apply) };',
    becomes: 'return this.#sort(place, batch, apply);',
  },
  {
    name: 'the receiver goes back to the base of an older batch',
    part: 'receiver',
    text: 'base <= place.applied',
    becomes: 'base === place.applied',
  },
  {
    name: 'the receiver passes over one row too many (off by one)',
    part: 'receiver',
    text: 'last: base };\n    place.applied = base;',
    becomes: 'last: base + 1 };\n    place.applied = base + 1;',
  },
  {
    name: 'the gap is said to begin at a row that the store has (off by one)',
    part: 'receiver',
    text: '{ first: place.applied + 1, last: base }',
    becomes: '{ first: place.applied, last: base }',
  },
  {
    name: 'the position behind a gap does not count as committed with it',
    part: 'receiver',
    text: 'place.applied = base;\n    this.#open.add(place);',
    becomes: 'place.applied = base;',
  },
  {
    name: 'the base is what was sent instead of what has its receipt',
    part: 'sender',
    text: 'base: this.#base',
    becomes: 'base: this.#cursor',
  },
];

const SOURCES = join(__dirname, '..');

/** Both ends from their source text, with a bug planted; without one, they are what the package exports. */
export function endsWith(bug?: PlantedBug): Ends {
  const RoundTrip = load('round-trip', bug, {}, 'RoundTrip');
  return {
    Sender: load('sender', bug, { RoundTrip }, 'StreamSender') as Ends['Sender'],
    Receiver: load('receiver', bug, {}, 'StreamReceiver') as Ends['Receiver'],
  };
}

function load(
  part: Part,
  bug: PlantedBug | undefined,
  imports: Record<string, unknown>,
  name: string,
): unknown {
  let text = readFileSync(join(SOURCES, `${part}.ts`), 'utf8');
  if (bug?.part === part) {
    const pieces = text.split(bug.text);
    if (pieces.length !== 2) {
      throw new Error(`${part}.ts has ${pieces.length - 1} times the text of the bug: ${bug.name}`);
    }
    text = pieces.join(bug.becomes);
  }
  const plain = stripTypeScriptTypes(text.replaceAll(/^import[^;]*;$/gm, ''), { mode: 'strip' });
  const body = `${plain.replaceAll(/^export /gm, '')}\nreturn ${name};`;
  return new Function(...Object.keys(imports), body)(...Object.values(imports));
}
