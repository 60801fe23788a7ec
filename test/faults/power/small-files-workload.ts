/** One as the modules write it (settings, cursor), one as the local edge does (keys, identity). */
export const FILES = ['settings.json', 'edge.json'] as const;

/** A line of standard output; `which` of the files. */
export type Said = { which: number; begun: number } | { which: number; done: number };

/** Longer than a sector, and of another length each time. */
export const contentOf = (round: number): string =>
  JSON.stringify({ round, text: String(round).repeat(300 + (round % 7) * 200) });
