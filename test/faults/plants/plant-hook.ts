/** Loaded with `--import`: puts the bug of `HOLDFAST_TEST_PLANT` into its file as it is loaded, in workers too. */
import { registerHooks } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { PLANT_VARIABLE, type Plant } from './plant.ts';

const given = process.env[PLANT_VARIABLE];
if (given !== undefined) plantInto(JSON.parse(given) as Plant);

function plantInto(plant: Plant): void {
  const root = path.resolve(import.meta.dirname, '../../..');
  const target = pathToFileURL(path.join(root, plant.file)).href;
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (url !== target) return loaded;
      const source = String(loaded.source);
      const parts = source.split(plant.find);
      if (parts.length !== 2) {
        throw new Error(
          `plant ${plant.name}: its text stands ${parts.length - 1} times in ${plant.file}, it must stand once`,
        );
      }
      return { ...loaded, source: parts.join(plant.replace) };
    },
  });
}
