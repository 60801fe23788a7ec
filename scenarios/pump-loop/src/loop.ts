import { type Fault, type FaultKind, strengthOf } from './faults.ts';
import { type Random, seededRandom } from './random.ts';
import { PERIOD_MS, type PumpReading, SIGNALS, type SignalName } from './signals.ts';

/** Speeds that an operator runs the pump at, share of nominal. */
const SPEED_SET_POINTS = [0.65, 0.75, 0.85, 0.95, 1];
/** Head at nominal speed and closed valve, bar, and the pump's own loss, bar per (L/min)^2: a small centrifugal pump. */
const SHUT_OFF_HEAD_BAR = 1.4;
const PUMP_LOSS = 0.00018;
/** Resistance of the open circuit in bar per (L/min)^2: gives about 33 L/min and 0.9 bar at nominal speed. */
const CIRCUIT_RESISTANCE = 0.00085;
/** Water in the loop and the motor's housing warm up this slowly, in seconds. */
const HOUSING_SECONDS = 400;
const WATER_SECONDS = 1_500;

/** How this pump differs from its drawing: gains near 1 and offsets near 0, fixed for its life. */
interface Build {
  gain: Record<SignalName, number>;
  resistance: number;
  roomDegC: number;
}

/** What is invisible to the sensors and changes from second to second. */
interface State {
  setPoint: number;
  setPointSecondsLeft: number;
  speed: number;
  /** Slow changes of the circuit (filters, a user's tap), natural logarithm. */
  load: number;
  voltage: number;
  housingDegC: number;
  waterDegC: number;
}

/** One pump in its water loop. `next` gives one row a call; the series depends on seed, name and faults only. */
export class PumpLoop {
  readonly #asset: string;
  readonly #random: Random;
  readonly #faults: readonly Fault[];
  readonly #build: Build;
  readonly #state: State;
  readonly #stuck = new Map<SignalName, number>();

  constructor(options: { seed: number; asset: string; faults: readonly Fault[] }) {
    this.#asset = options.asset;
    this.#faults = options.faults.filter((fault) => fault.asset === options.asset);
    this.#random = seededRandom(options.seed, options.asset);
    this.#build = drawBuild(this.#random);
    this.#state = drawState(this.#random, this.#build);
  }

  next(t: number): PumpReading {
    this.#advance(t);
    const values = this.#measure(t);
    this.#breakSensors(t, values);
    return { asset: this.#asset, t, values };
  }

  #strength(kind: FaultKind, t: number): number {
    return Math.max(
      0,
      ...this.#faults.filter((fault) => fault.kind === kind).map((fault) => strengthOf(fault, t)),
    );
  }

  #advance(t: number): void {
    const state = this.#state;
    const random = this.#random;
    if (state.setPointSecondsLeft <= 0) {
      state.setPoint = SPEED_SET_POINTS[Math.floor(random.uniform() * SPEED_SET_POINTS.length)]!;
      state.setPointSecondsLeft = Math.floor(random.between(120, 900));
    }
    state.setPointSecondsLeft -= 1;
    state.speed += (state.setPoint - state.speed) / 8 + 0.0008 * random.normal();
    state.load += -state.load / 300 + 0.003 * random.normal();
    state.voltage += (230 - state.voltage) / 40 + 0.35 * random.normal();
    const { flow, head } = this.#hydraulics(t);
    const watts = this.#watts(flow, head, t);
    const wear = this.#strength('bearing-wear', t);
    const housingTarget = this.#build.roomDegC + 0.2 * watts + 10 * wear;
    const waterTarget = this.#build.roomDegC + 0.022 * watts;
    state.housingDegC += (housingTarget - state.housingDegC) / HOUSING_SECONDS;
    state.waterDegC += (waterTarget - state.waterDegC) / WATER_SECONDS;
  }

  /** Pump curve `H = H0 s^2 - a Q^2` meets circuit `H = r Q^2`; head in bar, flow in L/min. */
  #hydraulics(t: number): { flow: number; head: number } {
    const { speed, load } = this.#state;
    const closing = this.#strength('valve-closing', t);
    const cavitation = this.#strength('cavitation', t);
    const resistance = this.#build.resistance * Math.exp(load) * (1 + 7 * closing ** 2);
    const lift = SHUT_OFF_HEAD_BAR * speed ** 2 * (1 - 0.18 * cavitation);
    const flow = Math.sqrt(lift / (resistance + PUMP_LOSS));
    return { flow, head: resistance * flow ** 2 };
  }

  /** Hydraulic power over efficiency, plus what the motor needs to turn at all. */
  #watts(flow: number, head: number, t: number): number {
    const { speed } = this.#state;
    const hydraulic = (flow / 60_000) * head * 100_000;
    const wear = this.#strength('bearing-wear', t);
    return 60 + hydraulic / 0.35 + 70 * speed ** 3 + 25 * wear * speed;
  }

  #measure(t: number): Record<SignalName, number> {
    const { speed, voltage, housingDegC, waterDegC } = this.#state;
    const random = this.#random;
    const { flow, head } = this.#hydraulics(t);
    const cavitation = this.#strength('cavitation', t);
    const wear = this.#strength('bearing-wear', t);
    const current = this.#watts(flow, head, t) / (voltage * 0.82);
    // Turbulence is felt by flow, pressure and current at once; bubbles make it several times larger.
    const surge = random.normal() * (0.006 + 0.03 * cavitation);
    const rumble = 1 + 1.6 * cavitation + 0.4 * cavitation * Math.abs(random.normal());
    const driveEnd = 0.2 * speed ** 2 * (rumble + 1.5 * wear);
    const pumpEnd = 0.26 * speed ** 2 * (1.3 * rumble - 0.3 + 0.35 * wear);
    const gain = this.#build.gain;
    return {
      Accelerometer1RMS: gain.Accelerometer1RMS * driveEnd * (1 + 0.025 * random.normal()),
      Accelerometer2RMS: gain.Accelerometer2RMS * pumpEnd * (1 + 0.025 * random.normal()),
      Current: gain.Current * current * (1 + 0.5 * surge + 0.006 * random.normal()),
      Pressure: gain.Pressure * head * (1 + 1.5 * surge) + 0.006 * random.normal(),
      Temperature: housingDegC + gain.Temperature - 1 + 0.06 * random.normal(),
      Thermocouple: waterDegC + gain.Thermocouple - 1 + 0.04 * random.normal(),
      Voltage: gain.Voltage * voltage + 0.25 * random.normal(),
      'Volume Flow RateRMS':
        gain['Volume Flow RateRMS'] * flow * (1 + surge) + 0.12 * random.normal(),
    };
  }

  #breakSensors(t: number, values: PumpReading['values']): void {
    for (const signal of SIGNALS) values[signal] = round(values[signal]!);
    const stuck = new Set<SignalName>();
    for (const fault of this.#faults) {
      if (fault.signal === undefined || strengthOf(fault, t) === 0) continue;
      if (fault.kind === 'sensor-missing') values[fault.signal] = null;
      if (fault.kind !== 'sensor-stuck') continue;
      stuck.add(fault.signal);
      const held = this.#stuck.get(fault.signal) ?? values[fault.signal];
      if (held === null) continue;
      this.#stuck.set(fault.signal, held);
      values[fault.signal] = held;
    }
    for (const signal of this.#stuck.keys()) if (!stuck.has(signal)) this.#stuck.delete(signal);
  }
}

/** Six significant digits, as the acquisition card writes them. */
const round = (value: number): number => Number(value.toPrecision(6));

function drawBuild(random: Random): Build {
  const near = (spread: number): number => 1 + Math.max(-2, Math.min(2, random.normal())) * spread;
  return {
    gain: {
      Accelerometer1RMS: near(0.04),
      Accelerometer2RMS: near(0.04),
      Current: near(0.01),
      Pressure: near(0.01),
      Temperature: near(0.3),
      Thermocouple: near(0.2),
      Voltage: near(0.003),
      'Volume Flow RateRMS': near(0.01),
    },
    resistance: CIRCUIT_RESISTANCE * near(0.03),
    roomDegC: 22 + random.between(-2, 2),
  };
}

/** A loop that has run for hours at its first set point, so that a run begins warm. */
function drawState(random: Random, build: Build): State {
  const setPoint = SPEED_SET_POINTS[Math.floor(random.uniform() * SPEED_SET_POINTS.length)]!;
  const flow = Math.sqrt((SHUT_OFF_HEAD_BAR * setPoint ** 2) / (build.resistance + PUMP_LOSS));
  const hydraulic = (flow / 60_000) * build.resistance * flow ** 2 * 100_000;
  const watts = 60 + hydraulic / 0.35 + 70 * setPoint ** 3;
  return {
    setPoint,
    setPointSecondsLeft: Math.floor(random.between(120, 900)),
    speed: setPoint,
    load: 0.05 * random.normal(),
    voltage: 230 + random.normal(),
    housingDegC: build.roomDegC + 0.2 * watts,
    waterDegC: build.roomDegC + 0.022 * watts,
  };
}

export interface SimulationOptions {
  seed: number;
  /** Names. */
  assets: readonly string[];
  /** Time of the first row, integer ms since 1970. */
  startMs: number;
  /** Rows an asset. */
  seconds: number;
  faults?: readonly Fault[];
}

/** Rows of all assets, second by second; within one second in the order of `assets`. */
export function* simulateLoops(options: SimulationOptions): Generator<PumpReading, void> {
  const { seed, startMs, seconds, faults = [] } = options;
  const loops = options.assets.map((asset) => new PumpLoop({ seed, asset, faults }));
  for (let second = 0; second < seconds; second += 1) {
    const t = startMs + second * PERIOD_MS;
    for (const loop of loops) yield loop.next(t);
  }
}
