/** What the scenario `power-ingest-process` posts and drops; everything follows from the seed. */
import { seeded } from '@holdfast/testkit';

/** One post: rows with the values `from`, `from` + 1, ..., and perhaps a row that is no reading. */
export interface Post {
  from: number;
  count: number;
  bad: boolean;
  key?: string;
}

export type Step =
  | { do: 'post'; posts: Post[] }
  | { do: 'settings'; folderPollMs: number }
  | { do: 'receipts'; silent: boolean };

/** A line of standard output. */
export type Said =
  | { sent: Post }
  | { answered: Post; receipt: string }
  | { setting: number }
  | { set: number }
  | { applied: number[] };

/** First value of a file; posts stay below. */
const FILES_FROM = 1_000_000;

export interface InputFile {
  name: string;
  content: string;
  /** Good rows have the values `from` to `from + good - 1`. */
  from: number;
  good: number;
  /** Where the first row begins. */
  start: number;
}

const rowOf = (value: number, startMs: number) => ({
  asset: `pump-${value % 7}`,
  t: startMs - value,
  values: { value },
});

export const bodyOf = ({ from, count, bad }: Post, startMs: number): unknown[] => {
  const rows: unknown[] = Array.from({ length: count }, (_, index) => rowOf(from + index, startMs));
  if (bad) rows.push({ asset: 'pump-1', t: 'yesterday' });
  return rows;
};

export function stepsOf(seed: number, count: number): Step[] {
  const random = seeded(seed);
  let next = 1;
  const post = (): Post => {
    const rows = random.chance(0.1) ? random.int(100, 600) : random.int(1, 15);
    const made: Post = { from: next, count: rows, bad: random.chance(0.2) };
    next += rows;
    return random.chance(0.5) ? { ...made, key: `key-${made.from}` } : made;
  };
  return Array.from({ length: count }, (): Step => {
    const chance = random.next();
    if (chance < 0.75) return { do: 'post', posts: Array.from({ length: random.int(1, 6) }, post) };
    if (chance < 0.9) return { do: 'settings', folderPollMs: random.int(100, 400) };
    return { do: 'receipts', silent: random.chance(0.5) };
  });
}

/** Files that lie in the input folder from the start: one of several chunks, some small ones. */
export function inputFiles(seed: number, startMs: number): InputFile[] {
  const random = seeded(seed + 1);
  let from = FILES_FROM;
  const lines = (good: number, badEvery: number): string => {
    const text: string[] = [];
    for (let row = 0; row < good; row += 1) {
      text.push(JSON.stringify(rowOf(from + row, startMs)));
      if (badEvery > 0 && row % badEvery === 0) text.push('{"asset":"pump-1"}');
    }
    return `${text.join('\n')}\n`;
  };
  const file = (name: string, good: number, content: string, start = 0): InputFile => {
    const made = { name, content, from, good, start };
    from += good;
    return made;
  };
  const large = random.int(4_000, 9_000);
  const files = [file('b-large.ndjson', large, lines(large, 0))];
  for (const name of ['a-small.ndjson', 'c-small.ndjson']) {
    const good = random.int(5, 200);
    files.push(file(name, good, lines(good, 9)));
  }
  const good = random.int(5, 50);
  const head = 'asset,t,value\n';
  const csv = Array.from({ length: good }, (_, row) => {
    const { asset, t, values } = rowOf(from + row, startMs);
    return `${asset},${t},${values.value}\n`;
  });
  files.push(file('d.csv', good, head + csv.join(''), head.length));
  return files;
}
