/** A time as text: `zone` when it is a local time and nobody said which zone it is in. */
export type TimeText = { t: number } | { fault: 'format' | 'zone' };

const ISO =
  /^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s?(Z|z|[+-]\d{2}:?\d{2})?$/;
const INTEGER = /^-?\d{1,16}$/;

/**
 * Reads ISO 8601 date and time, or whole milliseconds since 1970 as digits. Digits beyond milliseconds are cut
 * off. A day that its month does not have, hour 24 and second 60 are refused rather than moved on.
 */
export function readTime(text: string, utc: boolean): TimeText {
  if (INTEGER.test(text)) return { t: Number(text) };
  const match = ISO.exec(text);
  if (match === null) return { fault: 'format' };
  const [, year, month, day, hour, minute, second = '0', fraction = '', zone] = match;
  const t = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
    Number(fraction.slice(0, 3).padEnd(3, '0')),
  );
  const back = new Date(t);
  const moved =
    back.getUTCMonth() !== Number(month) - 1 ||
    back.getUTCDate() !== Number(day) ||
    back.getUTCHours() !== Number(hour) ||
    back.getUTCMinutes() !== Number(minute) ||
    Number(second) > 59;
  if (moved) return { fault: 'format' };
  if (zone === undefined) return utc ? { t } : { fault: 'zone' };
  const offset = readOffset(zone);
  return offset === undefined ? { fault: 'format' } : { t: t - offset };
}

/** Offset from UTC in ms. */
function readOffset(zone: string): number | undefined {
  if (zone === 'Z' || zone === 'z') return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(-2));
  if (hours > 14 || minutes > 59) return undefined;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}
