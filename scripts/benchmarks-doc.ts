/**
 * `node scripts/benchmarks-doc.ts [--check]`: writes the figures of docs/benchmarks.md and the plots beside it from what
 * `npm run bench -- --results` and `npm run bench:peers` have kept in docs/benchmarks.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { peersSection } from '../test/bench/peers/report.ts';
import { plotSvg } from './bench/plot.ts';
import { type Results, type Section, tableMarkdown } from './bench/report.ts';
import { ROOT } from './steps.ts';

const FOLDER = path.join(ROOT, 'docs/benchmarks');
const FILE = path.join(ROOT, 'docs/benchmarks.md');
const RESULTS = path.join(FOLDER, 'results.json');

function machineOf({ date, commit, quick, machine }: Results): string {
  const { cpu, cores, memoryGb, kernel, node, disk } = machine;
  return [
    `Measured on ${date.slice(0, 10)} at commit ${commit}${quick ? ', in the short form' : ''}.`,
    '',
    '| processor | cores | memory | kernel | Node | disk |',
    '|---|---:|---:|---|---|---|',
    `| ${cpu} | ${cores} | ${memoryGb} GB | ${kernel} | ${node} | ${disk} |`,
  ].join('\n');
}

function sectionOf({ tables, plots = [] }: Section): string {
  const parts = tables.map((table) =>
    [
      `**${table.title}**`,
      ...(table.note === undefined ? [] : [table.note]),
      tableMarkdown(table),
    ].join('\n\n'),
  );
  return [...plots.map(({ id, title }) => `![${title}](benchmarks/${id}.svg)`), ...parts].join(
    '\n\n',
  );
}

/** Replaces what stands between two marks. @throws Error when the document does not have them */
function between(text: string, name: string, content: string): string {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`docs/benchmarks.md has no ${begin} ... ${end}`);
  return `${text.slice(0, from)}${begin}\n\n${content}\n\n${text.slice(to)}`;
}

/** Every file that is generated, with its content. */
function wanted(): Map<string, string> {
  const files = new Map<string, string>();
  let text = readFileSync(FILE, 'utf8');
  if (existsSync(RESULTS)) {
    const results = JSON.parse(readFileSync(RESULTS, 'utf8')) as Results;
    text = between(text, 'machine', machineOf(results));
    for (const section of results.sections) {
      text = between(text, section.id, sectionOf(section));
      for (const plot of section.plots ?? []) {
        files.set(path.join(FOLDER, `${plot.id}.svg`), plotSvg(plot));
      }
    }
  }
  const peers = peersSection(ROOT);
  if (peers !== undefined) text = between(text, 'peers', peers.trimEnd());
  files.set(FILE, text);
  return files;
}

const stale = [...wanted()].filter(
  ([file, content]) => !existsSync(file) || readFileSync(file, 'utf8') !== content,
);
if (!process.argv.includes('--check')) {
  for (const [file, content] of stale) writeFileSync(file, content);
} else if (stale.length > 0) {
  const names = stale.map(([file]) => path.relative(ROOT, file)).join(', ');
  console.error(`not up to date: ${names}; write them with node scripts/benchmarks-doc.ts`);
  process.exitCode = 1;
}
