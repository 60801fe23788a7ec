import type { ModelIdentity } from '@holdfast/contracts';
import type { Clock, Log } from '@holdfast/module-host';
import type { Registry } from 'prom-client';
import type { RouteModels, SlotModel } from '../domain/route-models.ts';
import type { Model } from '../domain/score-batch.ts';
import { type Decision, DecisionLog } from './decision-log.ts';
import { Candidate, type Verdict } from './domain/candidate.ts';
import type { Comparison } from './domain/comparison.ts';
import { logOf } from './domain/e-process.ts';
import { type Label, RecentPairs } from './domain/recent-pairs.ts';
import { EvidenceStore } from './evidence-store.ts';
import { RolloutMetrics } from './rollout-metrics.ts';
import { type RolloutSetting, rulesOf } from './rollout-setting.ts';

export interface RolloutOptions {
  setting: RolloutSetting;
  models: RouteModels<Model>;
  /** Of the module: decisions and evidence are kept here. */
  folder: string;
  clock: Clock;
  log: Log;
  metrics: Registry;
  /** A decision was taken; reported properties have changed. */
  onDecision?(): void;
}

/** Evidence is written this often at most, in ms; what a power cut takes of it makes a verdict come later. */
const SAVE_EVERY_MS = 10_000;

/** Decisions in `status`; all are in the log and at GET /v1/decisions. */
const SHOWN_MAX = 16;

/**
 * Judges canaries and shadows by what they were compared on, and acts. A decision is on the disk before it has any
 * effect; what a power cut keeps from taking effect is done at the next start. States of a candidate: *on trial*, until it
 * is shown to be *worse* (taken out of service, unless the settings forbid it) or *good* (promoted, if they allow it; else
 * it goes on as it is, and a person may make it active).
 */
export class Rollout {
  setting: RolloutSetting;
  readonly #options: RolloutOptions;
  readonly #log: DecisionLog;
  readonly #store: EvidenceStore;
  readonly #metrics: RolloutMetrics;
  readonly #candidates = new Map<string, Candidate>();
  readonly #pairs = new RecentPairs();
  /** Slots of the candidates about which a verdict was spoken, by key; it is spoken once. */
  readonly #spoken = new Map<string, Set<Verdict['kind']>>();
  #savedMs = Number.NEGATIVE_INFINITY;

  constructor(options: RolloutOptions) {
    this.#options = options;
    this.setting = options.setting;
    this.#log = new DecisionLog(options.folder);
    this.#store = new EvidenceStore(options.folder, options.log);
    this.#metrics = new RolloutMetrics(options.metrics);
    for (const { candidate, slot, kind } of this.#log.entries) {
      const key = keyOf(slot, candidate);
      if (kind === 'worse' || kind === 'good') this.#saidOf(key).add(kind);
      // It was tried again after that.
      else if (kind === 'done') this.#spoken.delete(key);
    }
  }

  /** Takes in a comparison, and decides when a decision is due. */
  observe(comparison: Comparison): void {
    const { slot, role, identity, dropped } = comparison;
    if (dropped !== undefined) {
      this.#metrics.dropped.inc({ slot, reason: dropped });
      return;
    }
    const known = this.#slotOf(slot, identity);
    // Between scoring and here it may have been taken out of service.
    if (known === undefined) return;
    const key = keyOf(slot, identity);
    const candidate = this.#candidateOf(key);
    candidate.add(comparison);
    this.#pairs.add(key, comparison);
    this.#count(comparison);
    this.#decide(key, known, candidate, role);
  }

  /** A person knows what rows were. Gives how many compared rows that tells something about. */
  label(label: Label): number {
    const found = this.#pairs.take(label);
    for (const { candidate, right } of found) this.#candidates.get(candidate)?.label(right);
    this.#metrics.labels.inc({ outcome: found.length > 0 ? 'joined' : 'unknown' });
    return found.length;
  }

  /** Does what was decided and has not happened: at the start, and when other models are in the slots. */
  settle(): void {
    for (const decision of this.#log.pending()) this.#act(decision);
  }

  /** Newest first. */
  decisions(limit: number): Decision[] {
    return this.#log.entries.slice(-limit).reverse();
  }

  /** What is known of each candidate now, and the last decision on each slot. */
  status(): Record<string, unknown> {
    const { canaries, shadows } = this.#slots();
    const candidates = [...canaries, ...shadows].map(({ slot, role, share, model }) => {
      const state = this.#candidates.get(keyOf(slot, model.identity))?.state;
      return {
        ...{ slot, role, ...(role === 'canary' ? { share } : {}), ...model.identity },
        ...{ decisions: state?.decisions ?? 0, rows: state?.rows ?? 0 },
        evidence: state === undefined ? {} : evidenceOf(state.evidence),
      };
    });
    return { candidates, last: this.lastDecisions() };
  }

  /** The last decision on each slot, short enough for reported properties. */
  lastDecisions(): Record<string, unknown> {
    const last = new Map<string, Decision>();
    for (const decision of this.#log.entries) {
      if (decision.kind === 'done') continue;
      last.delete(decision.slot);
      last.set(decision.slot, decision);
    }
    return Object.fromEntries(
      [...last].slice(-SHOWN_MAX).map(([slot, { kind, atMs, candidate, decisions, rule }]) => [
        slot,
        {
          ...{ kind, at: new Date(atMs).toISOString(), version: candidate.version },
          ...{ digest: candidate.digest, decisions: decisions ?? 0 },
          ...(rule === undefined ? {} : { criterion: rule.criterion }),
        },
      ]),
    );
  }

  /** Writes what is not yet on the disk. */
  close(): void {
    this.#save();
  }

  #decide(key: string, known: SlotModel<Model>, candidate: Candidate, role: Comparison['role']) {
    const { clock } = this.#options;
    const nowMs = clock.monotonicMs();
    const decided = candidate.decide(rulesOf(this.setting), nowMs);
    if (decided === undefined) return;
    this.#metrics.decisions.inc({ slot: known.slot });
    this.#store.set(key, candidate.state);
    const { verdict } = decided;
    if (verdict !== undefined) this.#speak(key, known, candidate, role, verdict);
    if (nowMs - this.#savedMs < SAVE_EVERY_MS) return;
    this.#savedMs = nowMs;
    this.#save();
  }

  #speak(
    key: string,
    { slot, model }: SlotModel<Model>,
    { state }: Candidate,
    role: Comparison['role'],
    verdict: Verdict,
  ): void {
    const kind = this.#actionFor(verdict.kind, role);
    const isAction = kind === 'roll-back' || kind === 'promote';
    if (!isAction && this.#saidOf(key).has(verdict.kind)) return;
    const decided = this.#log.pending().find((one) => keyOf(one.slot, one.candidate) === key);
    if (decided !== undefined) {
      this.#act(decided);
      return;
    }
    const { log: evidence, threshold: needed, criterion } = verdict;
    const decision = this.#append({
      ...{ kind, atMs: this.#options.clock.wallMs(), slot, role, candidate: model.identity },
      active: this.#options.models.actives().map((active) => active.model.identity),
      ...{ decisions: state.decisions, rows: state.rows, sinceMs: state.sinceMs },
      rule: { criterion, evidence: rounded(evidence), needed: rounded(needed) },
      evidence: evidenceOf(state.evidence),
    });
    if (decision === undefined) return;
    this.#metrics.verdicts.inc({ slot, verdict: verdict.kind });
    if (isAction) this.#act(decision);
    else this.#saidOf(key).add(verdict.kind);
    this.#options.onDecision?.();
  }

  #actionFor(verdict: Verdict['kind'], role: Comparison['role']): Decision['kind'] {
    if (verdict === 'worse') return this.setting.rollBack === 'auto' ? 'roll-back' : 'worse';
    // A shadow only ever looks on: a person, or a canary, comes between it and the assets.
    return this.setting.promote === 'auto' && role === 'canary' ? 'promote' : 'good';
  }

  /** Undefined when the disk refuses: then nothing is decided, and the next decision tries again. */
  #append(decision: Omit<Decision, 'v' | 'number'>): Decision | undefined {
    const { log } = this.#options;
    try {
      const entry = this.#log.append(decision);
      const { kind, slot, candidate, rule, decisions } = entry;
      const { version, digest } = candidate;
      const fields = { kind, slot, version, digest, decisions, ...rule };
      if (kind === 'roll-back')
        log.warn('A candidate is worse and is taken out of service', fields);
      else if (kind !== 'done') log.info('A decision was taken on a candidate', fields);
      return entry;
    } catch (error) {
      const { message } = error as Error;
      log.error('A decision could not be written, nothing is done', { message });
      return undefined;
    }
  }

  /** Idempotent. What cannot be done yet, because the model is still being loaded, stays to be done. */
  #act({ number, kind, slot, role, candidate, rule, decisions }: Decision): void {
    const { models, clock } = this.#options;
    const { digest } = candidate;
    const key = keyOf(slot, candidate);
    const code = rule?.criterion ?? 'unknown';
    const reason = `${code}: worse than the active model after ${decisions} decisions`;
    const acted =
      kind === 'promote'
        ? models.promote(slot, digest)
        : models.rollBack(slot, digest, { code, reason });
    if (!acted && !this.#isReplaced(slot, digest)) return;
    this.#candidates.delete(key);
    this.#spoken.delete(key);
    this.#store.delete(key);
    this.#save();
    this.#append({ kind: 'done', atMs: clock.wallMs(), slot, role, candidate, of: number });
  }

  /** True when the slot holds another model: what was decided has become pointless. */
  #isReplaced(slot: string, digest: string): boolean {
    const { actives, canaries, shadows } = this.#slots();
    const held = [...actives, ...canaries, ...shadows].find((one) => one.slot === slot);
    return held !== undefined && held.model.identity.digest !== digest;
  }

  #slots() {
    const { models } = this.#options;
    return { actives: models.actives(), canaries: models.canaries(), shadows: models.shadows() };
  }

  /** The slot, while it holds this candidate. */
  #slotOf(slot: string, { digest }: ModelIdentity): SlotModel<Model> | undefined {
    const { canaries, shadows } = this.#slots();
    return [...canaries, ...shadows].find(
      (one) => one.slot === slot && one.model.identity.digest === digest,
    );
  }

  #candidateOf(key: string): Candidate {
    const known = this.#candidates.get(key);
    if (known !== undefined) return known;
    const candidate = new Candidate(this.#store.get(key), this.#options.clock.wallMs());
    this.#candidates.set(key, candidate);
    return candidate;
  }

  #saidOf(key: string): Set<Verdict['kind']> {
    const said = this.#spoken.get(key) ?? new Set();
    this.#spoken.set(key, said);
    return said;
  }

  #count({ slot, role, assets }: Comparison): void {
    let rows = 0;
    for (const { seq, candidate } of assets) {
      rows += seq.length;
      if (role !== 'canary') continue;
      for (const why of candidate.why) {
        if (why !== null) this.#metrics.fallbacks.inc({ slot, reason: why });
      }
    }
    this.#metrics.rows.inc({ slot, role }, rows);
  }

  #save(): void {
    this.#store.save();
  }
}

const keyOf = (slot: string, { digest }: ModelIdentity): string => `${slot} ${digest}`;
const rounded = (value: number): number => Math.round(value * 100) / 100;

function evidenceOf(evidence: Candidate['state']['evidence']): NonNullable<Decision['evidence']> {
  return Object.fromEntries(
    Object.entries(evidence).map(([criterion, { blocks, bad, worse, good }]) => [
      criterion,
      { blocks, bad, worse: rounded(logOf(worse)), good: rounded(logOf(good)) },
    ]),
  );
}
