#!/bin/sh
# Writes the three CSV files that train.py reads into the folder given: normal running of many pumps to train on,
# of other pumps to validate with, and runs with injected faults.
set -eu
data=${1:?usage: make-data.sh <folder>}
cd "$(dirname "$0")/../../.."
simulate="npx --no-install node scenarios/pump-loop/src/main.ts"
mkdir -p "$data"
$simulate --seed 101 --assets 150 --seconds 2400 --out "$data/train.csv"
$simulate --seed 202 --assets 60 --seconds 2400 --out "$data/validate.csv"
$simulate --seed 303 --assets 41 --seconds 1200 --faults 40 --out "$data/faults.csv"
