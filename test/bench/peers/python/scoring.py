"""The model, as every Python peer uses it."""

import numpy as np
import onnxruntime

SIGNALS = (
    "Accelerometer1RMS",
    "Accelerometer2RMS",
    "Current",
    "Pressure",
    "Temperature",
    "Thermocouple",
    "Voltage",
    "Volume Flow RateRMS",
)


class Model:
    def __init__(self, file):
        options = onnxruntime.SessionOptions()
        # One small model on a small machine: threads that spin for work would only take it from the others.
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])

    def rows(self, readings):
        """Rows for the store: asset, time, the eight values, the score. One run for all readings."""
        values = [[reading["values"][signal] for signal in SIGNALS] for reading in readings]
        window = np.array(values, dtype=np.float32).reshape(-1, 1, len(SIGNALS))
        (scores,) = self._session.run(["score"], {"window": window})
        return [
            (reading["asset"], reading["t"], *row, score)
            for reading, row, score in zip(readings, values, scores.tolist())
        ]
