// The model for function nodes. Outside of them, since their context has typed arrays of its own, which ONNX Runtime refuses.
const { InferenceSession, Tensor } = require('onnxruntime-node');

const SIGNALS = [
  'Accelerometer1RMS',
  'Accelerometer2RMS',
  'Current',
  'Pressure',
  'Temperature',
  'Thermocouple',
  'Voltage',
  'Volume Flow RateRMS',
];

const session = InferenceSession.create(process.env.PEER_MODEL, { intraOpNumThreads: 1 });

/** Rows for the store: asset, time, the eight values, the score. One run for all readings. */
exports.rowsOf = async (readings) => {
  const inputs = new Float32Array(readings.length * SIGNALS.length);
  for (const [row, { values }] of readings.entries()) {
    for (const [column, signal] of SIGNALS.entries()) {
      inputs[row * SIGNALS.length + column] = values[signal];
    }
  }
  const window = new Tensor('float32', inputs, [readings.length, 1, SIGNALS.length]);
  const { score } = await (await session).run({ window });
  return readings.map(({ asset, t, values }, row) => [
    asset,
    t,
    ...SIGNALS.map((signal) => values[signal]),
    score.data[row],
  ]);
};
