/** Where the rows of one request stand in one partition: `first..last`, without holes. */
export interface ReceiptRange {
  partition: number;
  epoch: string;
  first: number;
  last: number;
}

const PART = /^(\d{1,3})\.([A-Za-z0-9-]{1,64})\.([0-9a-z]{1,11})\.([0-9a-z]{1,11})$/;

/** A receipt id holds all it stands for, so it needs no table and is good for ever. */
export const receiptIdOf = (ranges: readonly ReceiptRange[]): string =>
  ranges
    .map(
      ({ partition, epoch, first, last }) =>
        `${partition}.${epoch}.${first.toString(36)}.${last.toString(36)}`,
    )
    .join('_');

/** Undefined when the text is no receipt id. */
export function readReceiptId(id: string): ReceiptRange[] | undefined {
  if (id.length > 10_000) return undefined;
  const ranges: ReceiptRange[] = [];
  for (const part of id.split('_')) {
    const match = PART.exec(part);
    if (match === null) return undefined;
    const first = Number.parseInt(match[3] as string, 36);
    const last = Number.parseInt(match[4] as string, 36);
    if (first < 1 || last < first || !Number.isSafeInteger(last)) return undefined;
    ranges.push({ partition: Number(match[1]), epoch: match[2] as string, first, last });
  }
  return ranges;
}

/** Joins positions into ranges, one or more a partition, in the order of the partitions. */
export function rangesOf(
  positions: readonly { partition: number; seq: number }[],
  epochOf: (partition: number) => string,
): ReceiptRange[] {
  const ranges = new Map<number, ReceiptRange[]>();
  for (const { partition, seq } of positions) {
    let list = ranges.get(partition);
    if (list === undefined) {
      list = [];
      ranges.set(partition, list);
    }
    const open = list.at(-1);
    if (open !== undefined && open.last + 1 === seq) open.last = seq;
    else list.push({ partition, epoch: epochOf(partition), first: seq, last: seq });
  }
  return [...ranges.values()].flat().sort((a, b) => a.partition - b.partition || a.first - b.first);
}

/** What has become of the rows of a receipt. */
export interface ReceiptProgress {
  accepted: number;
  applied: number;
  complete: boolean;
}

/** `receipted` gives the position of a partition, undefined for an epoch that is over. */
export function progressOf(
  ranges: readonly ReceiptRange[],
  receipted: (range: ReceiptRange) => number | undefined,
): ReceiptProgress | undefined {
  let accepted = 0;
  let applied = 0;
  for (const range of ranges) {
    const through = receipted(range);
    if (through === undefined) return undefined;
    accepted += range.last - range.first + 1;
    applied += Math.max(0, Math.min(range.last, through) - range.first + 1);
  }
  return { accepted, applied, complete: applied === accepted };
}
