import { showValue } from '@holdfast/contracts';

/** A value of a request as it may appear in an error; a whole number that became a BigInt in its digits. */
export const show = (value: unknown): string => {
  if (typeof value === 'bigint') return String(value);
  try {
    return showValue(value);
  } catch {
    // A BigInt somewhere inside.
    return showValue(
      JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? String(part) : part)),
    );
  }
};
