"""The model in numpy: fit, and score as the ONNX graph does.

A window is reduced to three numbers a signal: its mean, its slope, and the logarithm of the mean squared step from
row to row, which is the strength of its noise and falls through the floor when a sensor sticks. Each mean is
predicted from the other signals, each noise from all means and slopes, both by ridge regression on linear and
quadratic terms. The score is the root mean square of the standardised residuals, near 1 in normal running;
the share of a signal in the sum of squares is its contribution.
"""

from itertools import combinations_with_replacement

import numpy as np

COUNT = 8
PAIRS = list(combinations_with_replacement(range(COUNT), 2))
LEFT = np.array([pair[0] for pair in PAIRS])
RIGHT = np.array([pair[1] for pair in PAIRS])
RIDGE = 1000.0
# Standardised means and slopes are cut off here, so that a signal far outside of training cannot blow up the
# quadratic terms and hide in its own prediction.
MEAN_CLIP = 4.0
SLOPE_CLIP = 4.0
# Share of the plain distance from the training mean. It catches a state that no regression calls inconsistent.
FAR_WEIGHT = 0.5
# Floor of the mean squared step, relative to the median of normal running: gives a stuck sensor about -11.
STEP_FLOOR = 1e-5


def features(windows, parameters):
    half = windows.shape[1] // 2
    mean = windows.mean(axis=1)
    slope = windows[:, half:].mean(axis=1) - windows[:, :half].mean(axis=1)
    step = np.log((np.diff(windows, axis=1) ** 2).mean(axis=1) + parameters["step_floor"])
    raw = (mean - parameters["mean_centre"]) / parameters["mean_scale"]
    level = np.clip(raw, -MEAN_CLIP, MEAN_CLIP)
    lean = np.clip(slope / parameters["slope_scale"], -SLOPE_CLIP, SLOPE_CLIP)
    terms = np.concatenate([level, lean, lean * lean, level[:, LEFT] * level[:, RIGHT]], axis=1)
    return raw, step, terms


def allowed(target):
    """Terms that the mean of one signal may be predicted from: all that do not hold the signal itself."""
    own = np.arange(COUNT) != target
    return np.concatenate([own, own, own, (LEFT != target) & (RIGHT != target)])


def ridge(terms, target):
    centre = terms.mean(axis=0)
    centred = terms - centre
    gram = centred.T @ centred + RIDGE * np.eye(terms.shape[1])
    weight = np.linalg.solve(gram, centred.T @ (target - target.mean()))
    return weight, target.mean() - centre @ weight


def fit(windows):
    half = windows.shape[1] // 2
    mean = windows.mean(axis=1)
    slope = windows[:, half:].mean(axis=1) - windows[:, :half].mean(axis=1)
    squared = (np.diff(windows, axis=1) ** 2).mean(axis=1)
    parameters = {
        "mean_centre": mean.mean(axis=0),
        "mean_scale": mean.std(axis=0),
        "slope_scale": slope.std(axis=0),
        "step_floor": STEP_FLOOR * np.median(squared, axis=0),
    }
    raw, step, terms = features(windows, parameters)
    weights = np.zeros((terms.shape[1], 2 * COUNT))
    biases = np.zeros(2 * COUNT)
    for signal in range(COUNT):
        mask = allowed(signal)
        weights[mask, signal], biases[signal] = ridge(terms[:, mask], raw[:, signal])
        weights[:, COUNT + signal], biases[COUNT + signal] = ridge(terms, step[:, signal])
    residual = np.concatenate([raw, step], axis=1) - (terms @ weights + biases)
    parameters.update(weights=weights, biases=biases, residual_scale=residual.std(axis=0))
    # Six digits are more than the data carry, and hide the last bits in which linear algebra kernels differ.
    return {name: np.vectorize(lambda v: float(f"{v:.6g}"))(value) for name, value in parameters.items()}


def score(windows, parameters):
    """Scores [window] and contributions [window, signal]."""
    raw, step, terms = features(windows, parameters)
    target = np.concatenate([raw, step], axis=1)
    residual = (target - (terms @ parameters["weights"] + parameters["biases"])) / parameters["residual_scale"]
    far = np.clip(raw, -20, 20)
    squares = residual[:, :COUNT] ** 2 + residual[:, COUNT:] ** 2 + FAR_WEIGHT * far**2
    total = squares.sum(axis=1)
    return np.sqrt(total / ((2 + FAR_WEIGHT) * COUNT)), squares / total[:, None]
