"""The model card: what the model is for, what it was trained on, how well it does, where it must not be used."""


def card(version, levels, data, quality):
    rows = "\n".join(
        f"| {kind} | {found['events']} | {found['found']} | {found['delay']} | {found['peak']} |"
        for kind, found in sorted(quality["faults"].items())
    )
    return f"""# pump-loop {version}

Scores how unlike normal running the last 12 seconds of a water pump loop are. Made by `cloud/training/pump-loop`;
do not edit the files of this folder by hand, their digests are in `model.json`.

**Input**: `window`, float32 `[batch, 12, 8]`: 12 consecutive rows at 1 Hz, oldest first, 8 signals in the order and
units of `model.json`, as measured. All scaling is inside of the graph.

**Output**: `score`, float32 `[batch]`, near 1 in normal running; `contributions`, float32 `[batch, 8]`, the share of
each signal in the score, summing to 1.

**Method**: each window is reduced to mean, slope and noise of each signal. Means and noises are predicted from the
other signals by ridge regression on linear and quadratic terms; the score is the root mean square of the
standardised residuals, with half a weight on the plain distance from the training mean.

**Levels**: warning {levels["warning"]}, alarm {levels["alarm"]}: 1.15 and 1.8 times the 0.9999 quantile of scores on
normal running of pumps that were not trained on.

**Trained on** {data["train"]} rows of simulated normal running, validated on {data["validate"]} rows of other pumps.
On those, {quality["falseWarnings"]} of {quality["normalWindows"]} windows are at warning level or above
(highest score {quality["normalPeak"]}).

| injected fault, severity 0.7 to 1 | events | found | median delay to warning, s | median peak score |
|---|---|---|---|---|
{rows}

**Not for**: any real pump. The data are from the simulator in `scenarios/pump-loop`; train anew on your own plant.
Missing values are not filled: such rows are not scored.
"""
