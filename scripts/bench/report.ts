import type { Machine } from './machine.ts';
import type { Plot } from './plot.ts';

/** A number is rounded for reading; `null` is a figure that this machine does not give. */
export type Cell = string | number | null;

/** Figures as they are printed and as they go into docs/benchmarks.md. */
export interface Table {
  title: string;
  /** What was done, and how to read it. */
  note?: string;
  columns: readonly string[];
  rows: readonly (readonly Cell[])[];
}

export interface Section {
  id: string;
  title: string;
  seconds: number;
  tables: Table[];
  plots?: Plot[];
}

/** What `npm run bench -- --results` writes. */
export interface Results {
  v: 1;
  date: string;
  commit: string;
  quick: boolean;
  machine: Machine;
  sections: Section[];
}

/** Three significant digits below 1,000, whole numbers above; grouped by thousands. */
export function cellText(cell: Cell): string {
  if (cell === null) return '–';
  if (typeof cell === 'string') return cell;
  if (!Number.isFinite(cell)) return '–';
  const digits = Math.abs(cell) >= 100 ? 0 : Math.abs(cell) >= 10 ? 1 : 2;
  return cell.toLocaleString('en-US', { maximumFractionDigits: digits });
}

/** Share of a limit or a target, as text. */
export const percent = (value: number, of: number): string =>
  Number.isFinite(value / of) ? `${Math.round((value / of) * 100)} %` : '–';

/** A table for a terminal. */
export function tableText({ title, note, columns, rows }: Table): string {
  const lines = [columns.map(String), ...rows.map((row) => row.map(cellText))];
  const widths = columns.map((_, column) =>
    Math.max(...lines.map((line) => (line[column] ?? '').length)),
  );
  const text = lines.map((line) =>
    line
      .map((cell, column) =>
        typeof rows[0]?.[column] === 'string'
          ? cell.padEnd(widths[column]!)
          : cell.padStart(widths[column]!),
      )
      .join('  ')
      .trimEnd(),
  );
  return [
    title,
    ...(note === undefined ? [] : [`  ${note}`]),
    ...text.map((line) => `  ${line}`),
  ].join('\n');
}

/** The same for Markdown, without its title. */
export function tableMarkdown({ columns, rows }: Table): string {
  const align = columns.map((_, column) =>
    typeof rows[0]?.[column] === 'string' ? '---' : '---:',
  );
  return [columns, align, ...rows.map((row) => row.map(cellText))]
    .map((line) => `| ${line.join(' | ')} |`)
    .join('\n');
}
