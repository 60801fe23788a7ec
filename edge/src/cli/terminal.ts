/** Where a command writes and what it needs of its surroundings; a test gives its own. */
export interface Terminal {
  out(line: string): void;
  error(line: string): void;
  /** Variables of the shell. */
  environment: Readonly<Record<string, string>>;
  /** Resolves when the user wants to stop. */
  interrupted: Promise<unknown>;
}

/** Columns as wide as their widest cell. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows.reduce<number[]>(
    (widest, row) => row.map((cell, i) => Math.max(cell.length, widest[i] ?? 0)),
    [],
  );
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
