import type { Inputs } from '../domain/windows.ts';

interface Row {
  t: number;
  values: (number | null)[];
}

/**
 * What becomes of the last of some rows, by the rules as they are documented and without regard to speed: a code, or the
 * window, `[row, signal]`. The second opinion of the property tests.
 */
export function expectedOutcome(rows: Row[], inputs: Inputs): string | number[] {
  const newest = rows.at(-1)!;
  if (outOfRange(newest, inputs)) return 'OUT_OF_RANGE';
  const before = rows.at(-2);
  const { hopMs } = inputs;
  const sameHop =
    hopMs !== undefined && before && Math.floor(before.t / hopMs) === Math.floor(newest.t / hopMs);
  if (sameHop) return 'between-hops';
  const usable = sinceBreak(rows, inputs);
  return inputs.resample === undefined ? fromRows(usable, inputs) : fromPoints(usable, inputs);
}

const outOfRange = ({ values }: Row, { signals }: Inputs): boolean =>
  values.some((value, index) => value !== null && value > (signals[index]!.max ?? Infinity));

/** The rows since the clock was set back or a row was out of range, in the unit of the model. */
function sinceBreak(rows: Row[], inputs: Inputs): Row[] {
  let from = rows.length - 1;
  while (from > 0 && rows[from - 1]!.t <= rows[from]!.t && !outOfRange(rows[from - 1]!, inputs)) {
    from -= 1;
  }
  return rows.slice(from).map(({ t, values }) => ({
    t,
    values: values.map((value, index) => {
      const { scale = 1, offset = 0 } = inputs.signals[index]!;
      return value === null ? null : Math.fround(value * scale + offset);
    }),
  }));
}

const whole = ({ values }: Row): boolean => !values.includes(null);

function fromRows(usable: Row[], inputs: Inputs): string | number[] {
  const { rows, fill, fillMsMax = Infinity, gapMsMax } = inputs;
  if (fill === 'none' && !whole(usable.at(-1)!)) return 'missing-value';
  const window = usable.slice(-rows);
  const broken = window.some(
    (row, index) =>
      (index > 0 && row.t - window[index - 1]!.t > gapMsMax) || (fill === 'none' && !whole(row)),
  );
  if (window.length < rows || broken) return 'window-filling';
  if (!whole(window[0]!) || (fill === 'linear' && !whole(window.at(-1)!))) return 'missing-value';
  const filled: number[] = [];
  for (const [index, { t, values }] of window.entries()) {
    for (const [signal, value] of values.entries()) {
      if (value !== null) {
        filled.push(value);
        continue;
      }
      const has = (row: Row): boolean => row.values[signal] !== null;
      const left = window.slice(0, index).findLast(has)!;
      const right = window.slice(index).find(has);
      const far = fill === 'hold' ? t - left.t : right!.t - left.t;
      if (far > fillMsMax) return 'missing-value';
      filled.push(fill === 'hold' ? left.values[signal]! : alongTheLine(window, index, signal));
    }
  }
  return filled;
}

/** Step by step in float32, as the window is filled. */
function alongTheLine(window: Row[], index: number, signal: number): number {
  const right = window.slice(index).find((row) => row.values[signal] !== null)!;
  const before = window[index - 1]!;
  const value = before.values[signal] ?? alongTheLine(window, index - 1, signal);
  const span = right.t - before.t;
  const part = span === 0 ? 0 : (window[index]!.t - before.t) / span;
  return Math.fround(value + (right.values[signal]! - value) * part);
}

function fromPoints(usable: Row[], inputs: Inputs): string | number[] {
  const { rows, periodMs, gapMsMax, signals, fill, resample } = inputs;
  const method = resample!.method;
  const now = usable.at(-1)!.t;
  const points = Array.from({ length: rows }, (_, row) => now - (rows - 1 - row) * periodMs);
  const verdicts = signals.map((_, signal): string | number[] => {
    const all = usable.flatMap(({ t, values }) =>
      values[signal] === null ? [] : [{ t, value: values[signal]! }],
    );
    if (all.length === 0 || now - all.at(-1)!.t > gapMsMax) return 'missing-value';
    const hole = all.findLastIndex(({ t }, index) => index > 0 && t - all[index - 1]!.t > gapMsMax);
    const chain = all.slice(Math.max(0, hole));
    if (chain[0]!.t > points[0]!) return 'window-filling';
    const window = points.map((point) => {
      const left = chain.findLast(({ t }) => t <= point)!;
      const right = chain.find(({ t }) => t > point);
      if (method === 'mean') {
        const inside = chain.filter(({ t }) => t > point - periodMs && t <= point);
        if (inside.length === 0) return fill === 'hold' ? left.value : Number.NaN;
        return inside.reduce((sum, { value }) => sum + value, 0) / inside.length;
      }
      if (method === 'last' || right === undefined || left.t === point) return left.value;
      return left.value + ((right.value - left.value) * (point - left.t)) / (right.t - left.t);
    });
    return window.some(Number.isNaN) ? 'missing-value' : window;
  });
  for (const code of ['missing-value', 'window-filling']) {
    if (verdicts.includes(code)) return code;
  }
  return points.flatMap((_, row) => verdicts.map((window) => (window as number[])[row]!));
}
