/**
 * An anytime-valid test by betting: against the claim "the mean of x, given the past, is at most `limit`" a capital of 1
 * is put on its being higher. If the claim holds, the capital ever reaches `1/a` with probability `a` at most, however
 * often one looks (Ville 1939; Waudby-Smith and Ramdas 2024, "Estimating means of bounded random variables by betting").
 * The stake is spread over a few fractions of what may be lost in one round, so that none has to be right.
 */
export type Capital = readonly number[];

/**
 * Fractions of the capital at stake; the logarithm of the capital of each is what is kept. Small ones, so that a bad
 * stretch has to last: neighbouring rows are alike, and the proof above is for rounds that are not.
 */
const STAKES = [0.1, 0.2, 0.4] as const;

export const newCapital = (): Capital => STAKES.map(() => 0);

/** One round. @param x from 0 to 1 @param limit above 0 and below 1 */
export const bet = (capital: Capital, x: number, limit: number): Capital =>
  capital.map((log, at) => log + Math.log1p((STAKES[at]! * (x - limit)) / limit));

/** The same against the claim "the mean is at least `limit`". */
export const betBelow = (capital: Capital, x: number, limit: number): Capital =>
  bet(capital, 1 - x, 1 - limit);

/** Natural logarithm of the capital as a whole. */
export function logOf(capital: Capital): number {
  const most = Math.max(...capital);
  return (
    most + Math.log(capital.reduce((sum, log) => sum + Math.exp(log - most), 0) / capital.length)
  );
}
