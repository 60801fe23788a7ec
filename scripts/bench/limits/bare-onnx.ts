import path from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { ROOT } from '../../steps.ts';

/** Windows a second of the pump loop's model on one thread, with nothing before or after it. */
export async function bareOnnx(windowsPerRun: number, seconds: number): Promise<number> {
  const session = await InferenceSession.create(
    path.join(ROOT, 'scenarios/pump-loop/bundle/model.onnx'),
    { executionProviders: ['cpu'], intraOpNumThreads: 1, interOpNumThreads: 1 },
  );
  const input = session.inputMetadata[0]!;
  const shape = input.isTensor ? input.shape.slice(1).map(Number) : [];
  const length = shape.reduce((product, size) => product * size, windowsPerRun);
  const data = Float32Array.from({ length }, (_, index) => Math.sin(index));
  const tensor = new Tensor('float32', data, [windowsPerRun, ...shape]);
  const start = performance.now();
  let runs = 0;
  while (performance.now() - start < seconds * 1_000) {
    await session.run({ [input.name]: tensor });
    runs += 1;
  }
  const rate = (runs * windowsPerRun * 1_000) / (performance.now() - start);
  await session.release();
  return rate;
}
