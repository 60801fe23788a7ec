import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { BundleError, type ModelBundle, readBundle, tensorProblems } from '@holdfast/model-bundle';
import type { ModelRunner } from '../../modules/inference/src/domain/model-runner.ts';
import type { Model } from '../../modules/inference/src/domain/score-batch.ts';
import { windowScorer } from '../../modules/inference/src/domain/window-scorer.ts';
import type { ImageScores } from '../../modules/inference/src/images/score-image.ts';
import { type Command, type Run, UsageError } from './command.ts';
import { HEADER, lineOf, scoreTable } from './score-table.ts';
import { readTable, signalsOf } from './table.ts';

type Scored = { images: ({ file: string } & ImageScores)[] } | { rows: number; scored: number };

export const score: Command = {
  name: 'score',
  summary: 'score a table of readings, or images, without a site',
  usage: '--bundle <folder> (--input <file.csv> [--out <file.csv>] | --image <file>...)',
  help: `Scores rows by the code that scores them at a site, so that the outcome of each row is the same. The table has the header
asset,t,<signals> as ingest takes it; t is ISO 8601 (UTC) or ms since 1970, an empty cell is a missing value.

  --bundle <folder>   the model bundle
  --input <file.csv>  readings; the result has a line for each: line,asset,t,score,level,code,detail
  --out <file.csv>    where to write it (default: standard output)
  --image <file>      a JPEG or PNG for an image model; may come several times`,
  positionals: { min: 0, max: 0 },
  options: {
    bundle: { type: 'string' },
    input: { type: 'string' },
    out: { type: 'string' },
    image: { type: 'string', multiple: true },
  },
  async run(run): Promise<Scored> {
    const folder = run.text('bundle');
    const input = run.text('input');
    const images = run.list('image');
    if (folder === undefined || (input === undefined) === (images.length === 0)) {
      throw new UsageError('needs --bundle, and either --input or --image');
    }
    const bundle = await readBundle(folder);
    const problems = tensorProblems(bundle.manifest, bundle.facts);
    if (problems.length > 0) throw BundleError.of('BUNDLE_TENSORS', 'model.json', problems);
    const isImageModel = bundle.manifest.inputs.image !== undefined;
    if (isImageModel !== (input === undefined)) {
      throw new UsageError(`${folder} is a model for ${isImageModel ? 'images' : 'readings'}`);
    }
    // Loaded only here: nothing else of the command line needs the runtime.
    const { openAlone } = await import('./open-alone.ts');
    const model = await openAlone(bundle.modelPath);
    try {
      if (input === undefined) return { images: await scoreImages(bundle, model, images) };
      return await scoreRows(bundle, model, { input, run });
    } finally {
      await model.close();
    }
  },
  show(result: Scored, terminal): void {
    if ('images' in result) for (const image of result.images) terminal.out(JSON.stringify(image));
    else terminal.error(`${result.scored} of ${result.rows} rows have a score`);
  },
};

async function scoreImages(bundle: ModelBundle, runner: ModelRunner, files: readonly string[]) {
  const { ImageDecoder } = await import('../../modules/inference/src/images/image-decoder.ts');
  const { scoreImage } = await import('../../modules/inference/src/images/score-image.ts');
  const decoder = new ImageDecoder();
  const found: ({ file: string } & ImageScores)[] = [];
  for (const file of files) {
    const scores = await scoreImage({ ...bundle, runner }, await readFile(file), decoder);
    found.push({ file, ...scores });
  }
  return found;
}

async function scoreRows(
  { identity, manifest }: ModelBundle,
  runner: ModelRunner,
  { input, run }: { input: string; run: Run },
): Promise<Scored> {
  const model: Model = { identity, manifest, scorer: windowScorer(runner, manifest, 'route') };
  const out = run.text('out');
  const file = out === undefined ? undefined : createWriteStream(out);
  const write = (line: string): void => {
    if (file === undefined) run.terminal.out(line);
    else file.write(`${line}\n`);
  };
  let rows = 0;
  let scored = 0;
  write(HEADER);
  for await (const outcome of scoreTable(readTable(input), await signalsOf(input), model)) {
    rows += 1;
    if (outcome.score !== undefined) scored += 1;
    write(lineOf(outcome));
    if (rows % 1_000 === 0) run.progress('rows scored', rows);
  }
  if (file !== undefined) {
    file.end();
    await finished(file);
  }
  return { rows, scored };
}
