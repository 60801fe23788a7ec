type Labels = Record<string, string>;

interface Sample {
  labels: Labels;
  value: number;
}

export type MetricName =
  | 'edgehub_messages_received_total'
  | 'edgehub_messages_sent_total'
  | 'edgehub_messages_dropped_total'
  | 'edgehub_messages_unack_total'
  | 'edgehub_gettwin_total'
  | 'edgehub_reported_properties_total'
  | 'edgehub_direct_methods_total'
  | 'edgehub_client_connect_failed_total'
  | 'edgehub_offline_count_total'
  | 'edgehub_operation_retry_total';

const HELP: Record<MetricName, string> = {
  edgehub_messages_received_total: 'Messages taken in.',
  edgehub_messages_sent_total: 'Messages delivered and acknowledged.',
  edgehub_messages_dropped_total: 'Messages thrown away, by reason.',
  edgehub_messages_unack_total: 'Messages that could not be stored.',
  edgehub_gettwin_total: 'Twins read by clients.',
  edgehub_reported_properties_total: 'Updates of reported properties.',
  edgehub_direct_methods_total: 'Direct method calls.',
  edgehub_client_connect_failed_total: 'Connections refused.',
  edgehub_offline_count_total: 'Times that the cloud was lost.',
  edgehub_operation_retry_total: 'Deliveries tried again.',
};

/** Counters and gauges under the names that edge hub uses, since the start of the process. */
export class HubMetrics {
  readonly #base: Labels;
  readonly #counters = new Map<MetricName, Map<string, Sample>>();

  constructor(identity: { iotHubHostName: string; deviceId: string }) {
    this.#base = {
      iothub: identity.iotHubHostName,
      edge_device: identity.deviceId,
      instance_number: '1',
    };
  }

  count(name: MetricName, labels: Labels, by = 1): void {
    let samples = this.#counters.get(name);
    if (samples === undefined) {
      samples = new Map();
      this.#counters.set(name, samples);
    }
    const key = Object.values(labels).join('\u0000');
    const sample = samples.get(key);
    if (sample === undefined) samples.set(key, { labels, value: by });
    else sample.value += by;
  }

  /** Sum over all labels, or over those that match. */
  total(name: MetricName, labels: Labels = {}): number {
    let sum = 0;
    for (const sample of this.#counters.get(name)?.values() ?? []) {
      if (Object.entries(labels).every(([k, v]) => sample.labels[k] === v)) sum += sample.value;
    }
    return sum;
  }

  /** Dropped messages by reason, for the status. */
  dropped(): Record<string, number> {
    const sums = new Map<string, number>();
    for (const { labels, value } of this.#counters
      .get('edgehub_messages_dropped_total')
      ?.values() ?? []) {
      sums.set(labels.reason ?? '', (sums.get(labels.reason ?? '') ?? 0) + value);
    }
    return Object.fromEntries(sums);
  }

  /** Prometheus text format. */
  render(gauges: readonly { name: string; help: string; samples: readonly Sample[] }[]): string {
    const lines: string[] = [];
    for (const [name, samples] of this.#counters) {
      lines.push(`# HELP ${name} ${HELP[name]}`, `# TYPE ${name} counter`);
      for (const sample of samples.values()) lines.push(this.#line(name, sample));
    }
    for (const { name, help, samples } of gauges) {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} gauge`);
      for (const sample of samples) lines.push(this.#line(name, sample));
    }
    return `${lines.join('\n')}\n`;
  }

  #line(name: string, { labels, value }: Sample): string {
    const text = Object.entries({ ...this.#base, ...labels })
      .map(([key, label]) => `${key}="${label.replace(/[\\"\n]/g, escapeLabel)}"`)
      .join(',');
    return `${name}{${text}} ${value}`;
  }
}

const escapeLabel = (character: string): string => (character === '\n' ? '\\n' : `\\${character}`);
