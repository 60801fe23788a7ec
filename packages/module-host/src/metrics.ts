import { monitorEventLoopDelay } from 'node:perf_hooks';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';

export interface HostMetrics {
  readonly registry: Registry;
  /** Beyond the sampling period, since the start, in ms with one decimal. */
  eventLoopDelayMs(): { p50: number; p99: number; max: number };
  stop(): void;
}

/** Sampling period of the event-loop delay in ms; part of every raw value, so it is taken off. */
const RESOLUTION_MS = 10;

/** Process metrics and the gauges that every module has. */
export function createMetrics(options: {
  module: string;
  version: string;
  connected: () => boolean;
}): HostMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  new Gauge({
    name: 'holdfast_module_info',
    help: 'Always 1; which module and version this is',
    labelNames: ['module', 'version'],
    registers: [registry],
  }).set({ module: options.module, version: options.version }, 1);
  new Gauge({
    name: 'holdfast_hub_connected',
    help: '1 while there is a connection to the hub',
    registers: [registry],
    collect() {
      this.set(options.connected() ? 1 : 0);
    },
  });
  return {
    registry,
    eventLoopDelayMs: () => delaysOf(delay),
    stop: () => {
      delay.disable();
      registry.clear();
    },
  };
}

function delaysOf(histogram: ReturnType<typeof monitorEventLoopDelay>): {
  p50: number;
  p99: number;
  max: number;
} {
  if (histogram.count === 0) return { p50: 0, p99: 0, max: 0 };
  const beyond = (nanoseconds: number): number =>
    Math.round(Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS) * 10) / 10;
  return {
    p50: beyond(histogram.percentile(50)),
    p99: beyond(histogram.percentile(99)),
    max: beyond(histogram.max),
  };
}
