"""Trains the pump-loop model and writes its bundle. See README.md for the commands."""

import os

# One thread and so one order of summation: the same digest on every run.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import hashlib
import json
import pathlib
import sys

import numpy as np

from card import card
from graph import OPSET, build
from model import fit, score
from windows import ROWS, SIGNALS, cut, cut_all, read_assets

VERSION = "1.0.0"
# Physical limits of the sensors in the unit of the signal: a value outside is a broken sensor, not a rare state.
LIMITS = {
    "Accelerometer1RMS": ("g", 0, 50),
    "Accelerometer2RMS": ("g", 0, 50),
    "Current": ("A", 0, 50),
    "Pressure": ("bar", -2, 25),
    "Temperature": ("degC", -40, 200),
    "Thermocouple": ("degC", -40, 200),
    "Voltage": ("V", 0, 500),
    "Volume Flow RateRMS": ("L/min", -10, 1000),
}
TRAIN_HOP = 4


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def text(document):
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def fault_events(assets, parameters, warning):
    """For each kind of fault: how many events, how many reach warning, after how many seconds, how high."""
    kinds = {}
    for rows, names in assets.values():
        windows, ends = cut(rows)
        scores, _ = score(windows, parameters)
        names = np.array(names)
        for kind in sorted(set(names) - {"", "sensor-missing"}):
            inside = ends[names[ends] == kind]
            above = inside[scores[np.searchsorted(ends, inside)] >= warning]
            event = kinds.setdefault(kind, {"delays": [], "peaks": [], "events": 0})
            event["events"] += 1
            event["peaks"].append(scores[np.searchsorted(ends, inside)].max())
            if len(above) > 0:
                event["delays"].append(above[0] - inside[0])
    return {
        kind: {
            "events": event["events"],
            "found": len(event["delays"]),
            "delay": round(float(np.median(event["delays"])), 1) if event["delays"] else "-",
            "peak": round(float(np.median(event["peaks"])), 1),
        }
        for kind, event in kinds.items()
    }


def golden_windows(validate, faults):
    """A few windows of normal running, and the strongest window of each fault."""
    cases = []
    for asset in sorted(validate)[:3]:
        cases.append((f"normal running of {asset}", cut(validate[asset][0], 997)[0][1]))
    seen = set()
    for asset in sorted(faults):
        rows, names = faults[asset]
        for kind in sorted(set(names) - {"", "sensor-missing"} - seen):
            seen.add(kind)
            last = max(index for index, name in enumerate(names) if name == kind)
            cases.append((kind, rows[last - ROWS + 1 : last + 1]))
    cases.append(("all zero", np.zeros((ROWS, len(SIGNALS)))))
    return cases


def golden(cases, parameters):
    scores, shares = score(np.array([window for _, window in cases]), parameters)
    return {
        "tolerance": 0.002,
        "cases": [
            {
                "name": name,
                "input": window.tolist(),
                "score": float(f"{scores[index]:.6g}"),
                "contributions": [round(float(share), 6) for share in shares[index]],
            }
            for index, (name, window) in enumerate(cases)
        ],
    }


def check_parity(model, cases, parameters):
    """The graph in onnxruntime must give what numpy gives."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    windows = np.array([window for _, window in cases])
    got_score, got_shares = session.run(["score", "contributions"], {"window": windows.astype(np.float32)})
    want_score, want_shares = score(windows, parameters)
    np.testing.assert_allclose(got_score, want_score, rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(got_shares, want_shares, rtol=2e-3, atol=2e-3)


def make(data):
    """The files of the bundle by name."""
    train, validate, faults = (read_assets(data / f"{name}.csv") for name in ("train", "validate", "faults"))
    parameters = fit(cut_all(train, TRAIN_HOP))
    normal, _ = score(cut_all(validate), parameters)
    edge = float(np.quantile(normal, 0.9999))
    levels = {"warning": round(1.15 * edge, 2), "alarm": round(1.8 * edge, 2)}
    model = build(parameters)
    cases = golden_windows(validate, faults)
    check_parity(model, cases, parameters)
    quality = {
        "normalWindows": len(normal),
        "normalPeak": round(float(normal.max()), 2),
        "falseWarnings": int((normal >= levels["warning"]).sum()),
        "faults": fault_events(faults, parameters, levels["warning"]),
    }
    data_sizes = {name: sum(len(rows) for rows, _ in part.values()) for name, part in (("train", train), ("validate", validate))}
    files = {
        "model.onnx": model,
        "golden.json": text(golden(cases, parameters)),
        "README.md": card(VERSION, levels, data_sizes, quality).encode(),
    }
    manifest = {
        "v": 1,
        "name": "pump-loop",
        "version": VERSION,
        "description": "Unlikeness of the last 12 seconds of a water pump loop to normal running.",
        "inputs": {
            "tensor": "window",
            "signals": [
                {"name": name, "unit": LIMITS[name][0], "min": LIMITS[name][1], "max": LIMITS[name][2]} for name in SIGNALS
            ],
            "periodMs": 1000,
            "rows": ROWS,
            "gapMsMax": 5000,
            "fill": "none",
        },
        "outputs": {"score": "score", "contributions": "contributions"},
        "levels": levels,
        "opset": OPSET,
        "files": {name: digest(content) for name, content in sorted(files.items())},
    }
    return {**files, "model.json": text(manifest)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder with train.csv, validate.csv, faults.csv")
    parser.add_argument("--out", type=pathlib.Path, help="folder of the bundle to write")
    parser.add_argument(
        "--check", type=pathlib.Path, help="train twice and fail unless both are byte for byte the bundle in this folder"
    )
    options = parser.parse_args()
    files = make(options.data)
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (options.out / name).write_bytes(content)
    if options.check is not None:
        again = make(options.data)
        committed = {name: (options.check / name).read_bytes() for name in files}
        different = [name for name in files if not files[name] == again[name] == committed[name]]
        if different:
            sys.exit(f"not the same bytes: {', '.join(different)}")
    print(f"bundle {digest(files['model.json'])}")


if __name__ == "__main__":
    main()
