/** A small seeded generator, so that one seed gives the same loop on every machine. */
export interface Random {
  /** Uniform in `[0, 1)`. */
  uniform(): number;
  /** Uniform in `[low, high)`. */
  between(low: number, high: number): number;
  /** Standard normal. */
  normal(): number;
}

/** Seeds by number and name: the series of one asset does not depend on which others run beside it. */
export function seededRandom(seed: number, name: string): Random {
  let state = hash(`${seed}/${name}`);
  const uniform = (): number => {
    // mulberry32 by Tommy Ettinger, public domain: 32 bits of state, full period.
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  return {
    uniform,
    between: (low, high) => low + (high - low) * uniform(),
    // Box-Muller; the second value is left unused to keep the state one number.
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
  };
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  return value;
}
