import type { LogEntry } from '../disk/log.ts';
import { mustHold } from '../scenario.ts';
import type { Post, Said } from './ingest-workload.ts';
import { linesOf } from './recorded.ts';

/** What ingest has promised up to some moment. */
export class IngestLedger {
  /** Everything that was sent, answered or not. */
  readonly sent: Post[] = [];
  /** Posts whose 202 has left the process, with the id of their receipt. */
  readonly answered: { post: Post; receipt: string }[] = [];
  /** Values that went on to the receiver; its receipts may have come back. */
  readonly applied = new Set<number>();
  /** Version of the settings that are accepted, and of those under way. */
  set = 0;
  setting = 0;
  readonly #events: { at: number; take: () => void }[] = [];
  #taken = 0;

  /** The promise is made when the answer leaves, not when the client has read it: it is looked for in the log. */
  constructor(entries: readonly LogEntry[]) {
    const left = answersOf(entries);
    for (const { line, at } of linesOf(entries)) {
      const said = JSON.parse(line) as Said;
      if ('answered' in said) {
        const { answered: post, receipt } = said;
        const take = () => void this.answered.push({ post, receipt });
        this.#events.push({ at: left.get(receipt) ?? at, take });
      } else this.#events.push({ at, take: () => this.#take(said) });
    }
    this.#events.sort((a, b) => a.at - b.at);
  }

  /** Takes what was said and answered before this entry of the log. */
  advance(at: number): void {
    while (this.#taken < this.#events.length && this.#events[this.#taken]!.at <= at) {
      this.#events[this.#taken]!.take();
      this.#taken += 1;
    }
  }

  /** Compares with the values that were found, those applied before among them. @throws FaultFound */
  check(found: ReadonlySet<number>): void {
    for (const { post } of this.answered) {
      const missing = valuesOf(post).filter((value) => !found.has(value));
      mustHold(
        missing.length === 0,
        `${missing.length} of ${post.count} readings of an answered post are gone, ${missing[0]} first`,
      );
    }
    for (const post of this.sent) {
      const there = valuesOf(post).filter((value) => found.has(value)).length;
      const whole = there === 0 || there === post.count;
      mustHold(whole, `${there} of the ${post.count} readings of a post are there`);
    }
  }

  #take(said: Exclude<Said, { answered: Post }>): void {
    if ('sent' in said) this.sent.push(said.sent);
    else if ('applied' in said) for (const value of said.applied) this.applied.add(value);
    else if ('setting' in said) this.setting = said.setting;
    else this.set = said.set;
  }
}

const valuesOf = ({ from, count }: Post): number[] =>
  Array.from({ length: count }, (_, index) => from + index);

/** For each receipt in an answer over a socket, how many entries of the log came up to it. */
function answersOf(entries: readonly LogEntry[]): Map<string, number> {
  const left = new Map<string, number>();
  entries.forEach((entry, index) => {
    if (entry.kind !== 'output' || entry.fd === 1) return;
    const receipt = /"receipt":"([^"]+)"/.exec(entry.data.toString('latin1'))?.[1];
    if (receipt !== undefined && !left.has(receipt)) left.set(receipt, index + 1);
  });
  return left;
}
