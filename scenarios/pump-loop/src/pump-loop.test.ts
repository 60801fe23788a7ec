import { describe, expect, it } from '@jest/globals';
import { FAULT_KINDS, type Fault, planFaults, SIGNALS, simulate } from './index.ts';

const startMs = Date.UTC(2026, 0, 1);
const quiet = { seed: 7, assets: 3, startMs, seconds: 400 };

const fault = (change: Partial<Fault>): Fault => ({
  kind: 'cavitation',
  asset: 'pump-01',
  startMs: startMs + 200_000,
  endMs: startMs + 400_000,
  severity: 1,
  ...change,
});

const rowsOf = (asset: string, faults: Fault[] = []) =>
  [...simulate({ ...quiet, faults })].filter((row) => row.asset === asset);
const mean = (values: (number | null)[]): number =>
  values.reduce<number>((sum, value) => sum + (value ?? Number.NaN), 0) / values.length;

describe('the pump loop', () => {
  it('gives the same rows for the same seed and others for another', () => {
    expect([...simulate(quiet)]).toEqual([...simulate(quiet)]);
    expect([...simulate({ ...quiet, seed: 8 })]).not.toEqual([...simulate(quiet)]);
  });

  it('gives an asset the same series whichever assets run beside it', () => {
    const alone = [...simulate({ ...quiet, assets: ['pump-02'] })];
    expect(alone).toEqual(rowsOf('pump-02'));
  });

  it('writes one row a second and asset with all eight signals', () => {
    const rows = [...simulate(quiet)];
    expect(rows).toHaveLength(1_200);
    expect(rows[3]!.t - rows[0]!.t).toBe(1_000);
    for (const row of rows) expect(Object.keys(row.values)).toEqual([...SIGNALS]);
  });

  it('stays within what a small pump can do', () => {
    for (const { values } of simulate({ ...quiet, seconds: 3_600 })) {
      expect(values.Pressure).toBeGreaterThan(0.3);
      expect(values.Pressure).toBeLessThan(1.5);
      expect(values['Volume Flow RateRMS']).toBeGreaterThan(18);
      expect(values['Volume Flow RateRMS']).toBeLessThan(45);
      expect(values.Current).toBeLessThan(2.5);
      expect(values.Temperature).toBeLessThan(110);
    }
  });

  it('shakes and loses flow when it cavitates', () => {
    const ill = rowsOf('pump-01', [fault({})]).slice(260);
    const well = rowsOf('pump-01').slice(260);
    const average = (rows: typeof ill, signal: (typeof SIGNALS)[number]) =>
      mean(rows.map((row) => row.values[signal]));
    expect(average(ill, 'Accelerometer1RMS')).toBeGreaterThan(
      2 * average(well, 'Accelerometer1RMS'),
    );
    expect(average(ill, 'Volume Flow RateRMS')).toBeLessThan(
      0.95 * average(well, 'Volume Flow RateRMS'),
    );
  });

  it('loses flow and gains pressure when the valve closes', () => {
    const last = rowsOf('pump-01', [fault({ kind: 'valve-closing' })]).at(-1)!.values;
    const well = rowsOf('pump-01').at(-1)!.values;
    expect(last['Volume Flow RateRMS']).toBeLessThan(0.6 * well['Volume Flow RateRMS']!);
    expect(last.Pressure).toBeGreaterThan(1.05 * well.Pressure!);
  });

  it('holds the last value of a stuck sensor and leaves the others alone', () => {
    const rows = rowsOf('pump-01', [fault({ kind: 'sensor-stuck', signal: 'Pressure' })]);
    expect(new Set(rows.slice(200).map((row) => row.values.Pressure)).size).toBe(1);
    expect(new Set(rows.slice(200).map((row) => row.values.Current)).size).toBeGreaterThan(150);
  });

  it('gives null for a missing sensor inside of the fault only', () => {
    const rows = rowsOf('pump-01', [
      fault({ kind: 'sensor-missing', signal: 'Voltage', endMs: startMs + 300_000 }),
    ]);
    const missing = rows.filter((row) => row.values.Voltage === null).map((row) => row.t);
    expect(missing).toHaveLength(100);
    expect(missing[0]).toBe(startMs + 200_000);
  });

  it('leaves assets without a fault as they are', () => {
    expect(rowsOf('pump-02', [fault({})])).toEqual(rowsOf('pump-02'));
  });
});

describe('the fault plan', () => {
  it('holds each kind once, inside of the run, and spares the last asset', () => {
    const plan = planFaults({ seed: 3, assets: 6, startMs, seconds: 600 });
    expect(plan.map((one) => one.kind).sort()).toEqual([...FAULT_KINDS].sort());
    for (const one of plan) {
      expect(one.startMs).toBeGreaterThanOrEqual(startMs + 60_000);
      expect(one.endMs).toBeLessThanOrEqual(startMs + 600_000);
      expect(one.endMs - one.startMs).toBeGreaterThanOrEqual(40_000);
      expect(one.asset).not.toBe('pump-06');
      expect(one.signal !== undefined).toBe(one.kind.startsWith('sensor-'));
    }
  });

  it('never lets two faults of one asset overlap', () => {
    for (let seed = 0; seed < 50; seed += 1) {
      const plan = planFaults({ seed, assets: 2, startMs, seconds: 900 });
      expect(plan).toHaveLength(FAULT_KINDS.length);
      for (let index = 1; index < plan.length; index += 1) {
        expect(plan[index]!.startMs).toBeGreaterThanOrEqual(plan[index - 1]!.endMs);
      }
    }
  });

  it('plans nothing for a run that is too short', () => {
    expect(planFaults({ seed: 1, assets: 1, startMs, seconds: 100 })).toEqual([]);
  });
});
