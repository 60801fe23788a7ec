import type { Journal } from '@holdfast/journal';
import type { Log } from '@holdfast/module-host';
import type { InboundMessage, MessageHandler } from '@holdfast/transport';
import { readHubDocument } from '../domain/read-opc.ts';
import { syntaxFault } from '../domain/read-text.ts';
import { isBusy, type Pipeline } from '../pipeline.ts';
import type { Source } from './source.ts';

export interface DevicesSourceParts {
  pipeline: Pipeline;
  journal: Journal;
  log: Log;
  fatal(error: Error): never;
}

/**
 * Source `devices`: messages of leaf devices and other modules, by hub route. Everything is durable before the
 * handler returns, because then the hub forgets the message. What is malformed is counted and kept in the reject log;
 * what there is no room for stays with the hub and comes again.
 */
export class DevicesSource implements Source {
  readonly name = 'devices';
  readonly #parts: DevicesSourceParts;

  constructor(parts: DevicesSourceParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {}
  async stop(): Promise<void> {}
  health(): string | undefined {
    return undefined;
  }

  handle(message: InboundMessage): ReturnType<MessageHandler> {
    const { pipeline, journal, fatal } = this.#parts;
    // After a crash the hub delivers again what it has no acknowledgement for; its id tells.
    const id = message.messageId && `hub:${message.sender ?? ''}:${message.messageId}`;
    if (id && journal.findKey(id) !== undefined) return;
    const intake = pipeline.intake({ unit: 'row' });
    const text = message.body.toString('utf8');
    try {
      readHubDocument(JSON.parse(text), intake, { asset: message.sender });
    } catch {
      intake.refuse(0, syntaxFault(text));
    }
    const what = `from ${message.sender ?? 'unknown'}`;
    const key = id ? { key: { id, digest: '', result: '' } } : {};
    try {
      pipeline.acceptNow(intake, { source: 'devices', what, ...key });
    } catch (error) {
      if (isBusy(error)) return 'later';
      fatal(error as Error);
    }
  }
}
