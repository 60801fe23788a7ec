/** Runs a number of damages in a process of its own, so that a bug can be planted into it. Prints one line a case. */
import { join } from 'node:path';
import { seeded } from '@holdfast/testkit';
import { runCase } from './journal-case.ts';
import { anImage, type JournalImage } from './journal-image.ts';

/** Cases of one image: writing one costs more than reading it. */
const CASES_OF_IMAGE = 10;

const [, , folder = '', seedText = '1', countText = '1'] = process.argv;
const seed = Number(seedText);
const random = seeded(seed);
let image: JournalImage | undefined;
for (let number = 0; number < Number(countText); number += 1) {
  if (number % CASES_OF_IMAGE === 0) image = anImage(random, join(folder, `image-${number}`));
  const caseSeed = random.int(0, 2 ** 31);
  const result = await runCase(image!, seeded(caseSeed), join(folder, 'case'));
  console.log(JSON.stringify({ number, hot: image!.hot, ...result }));
}
process.exit(0);
