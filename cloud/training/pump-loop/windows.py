"""Reads the simulator's CSV and cuts it into windows of consecutive rows."""

import csv

import numpy as np

SIGNALS = [
    "Accelerometer1RMS",
    "Accelerometer2RMS",
    "Current",
    "Pressure",
    "Temperature",
    "Thermocouple",
    "Voltage",
    "Volume Flow RateRMS",
]
ROWS = 12


def read_assets(path):
    """One array [row, signal] and one list of fault names for each asset; NaN where a value is missing."""
    values, faults = {}, {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            values.setdefault(row["asset"], []).append(
                [float(row[signal]) if row[signal] else np.nan for signal in SIGNALS]
            )
            faults.setdefault(row["asset"], []).append(row.get("fault", ""))
    if not values:
        raise SystemExit(f"{path}: no rows")
    return {asset: (np.array(rows), faults[asset]) for asset, rows in values.items()}


def cut(rows, hop=1):
    """Windows [window, row, signal] and the index of the last row of each; windows with a missing value are left out."""
    ends = np.arange(ROWS - 1, len(rows), hop)
    windows = rows[ends[:, None] + np.arange(1 - ROWS, 1)[None, :]]
    whole = ~np.isnan(windows).any(axis=(1, 2))
    return windows[whole], ends[whole]


def cut_all(assets, hop=1):
    return np.concatenate([cut(rows, hop)[0] for rows, _ in assets.values()])
