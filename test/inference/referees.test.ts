/**
 * Goal: clients that nobody here wrote find the server that they expect. Method: the HTTP clients of Triton and of
 * KServe, in a Python environment with exact versions, drive the API with a real model of each data type, and the
 * module as a process; what they check is in the scripts in referees/.
 */
import { join } from 'node:path';
import { ChildProcess, freePort, temporaryFolder } from '@holdfast/testkit';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { runReferee } from './referees/run-referee.ts';
import { referees } from './referees/venv.ts';

jest.setTimeout(120_000);

const FOLDER = join(process.cwd(), 'test/inference/referees');
const BUNDLE = join(process.cwd(), 'scenarios/pump-loop/bundle');
const TOKEN = 'a-token-for-tests-only';
const { python, missing } = referees();

afterEach(() => ChildProcess.killAll());

async function startApi(): Promise<string> {
  const child = ChildProcess.start(join(FOLDER, 'api-process.ts'), {
    args: [TOKEN, temporaryFolder('referees')],
  });
  return /http:\/\/(\S+)/.exec(await child.line('listening on'))![1]!;
}

if (missing !== undefined) it.skip(missing, () => {});

(missing === undefined ? describe : describe.skip)('referees', () => {
  it('the client of Triton agrees with every part of the API', async () => {
    const address = await startApi();
    expect(await runReferee(python!, join(FOLDER, 'triton_client.py'), [address, TOKEN])).toEqual([
      'health, without a token',
      'refused without a token',
      'metadata and readiness of models, with and without version',
      'every data type, as binary data, as JSON and mixed',
      'large tensors and empty ones',
      'compression, all ways',
      'id, version, priority, timeout and parameters',
      'classification',
      'many at once',
      'statistics',
      'repository: index, unload and load',
      'errors, each with its sentence',
    ]);
  });

  it('the client of KServe agrees with every part of the API that it knows', async () => {
    const address = await startApi();
    expect(await runReferee(python!, join(FOLDER, 'kserve_client.py'), [address, TOKEN])).toEqual([
      'health and readiness',
      'tensors as binary data and as JSON',
      '64-bit numbers to the last digit',
      'compressed answers, which it asks for by itself',
      'errors, each with its sentence',
    ]);
  });

  it('both get the golden outputs of a bundle from the module', async () => {
    const port = await freePort();
    const child = ChildProcess.start(join(process.cwd(), 'modules/inference/src/main.ts'), {
      env: {
        HOLDFAST_TRANSPORT: 'none',
        HOLDFAST_HTTP_PORT: String(port),
        HOLDFAST_MODEL_DIR: BUNDLE,
        HOLDFAST_DATA_DIR: temporaryFolder('inference'),
      },
    });
    await child.line('Module started');
    const script = join(FOLDER, 'module_client.py');
    expect(await runReferee(python!, script, [`127.0.0.1:${port}`, BUNDLE])).toEqual([
      'the client of Triton gets the golden outputs',
      'the client of KServe gets the golden outputs',
    ]);
  });
});
