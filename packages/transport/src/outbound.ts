import { MESSAGE_BYTES_MAX } from '@holdfast/contracts';
import { TransportError } from './errors.ts';
import type { OutboundMessage } from './port.ts';

/** The hub's limit for properties and body together, in bytes (edgeHub `Constants.MaxMessageSize`). */
const WHOLE_BYTES_MAX = 262_144;

/** @throws TransportError TRANSPORT_TOO_LARGE, in bytes: the SDK counts characters and leaves properties out. */
export function checkSize(message: OutboundMessage): void {
  const bodyBytes = Buffer.byteLength(message.body, 'utf8');
  const propertyBytes = Object.entries(message.properties ?? {}).reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value),
    0,
  );
  if (bodyBytes <= MESSAGE_BYTES_MAX && bodyBytes + propertyBytes <= WHOLE_BYTES_MAX - 1_024) {
    return;
  }
  throw new TransportError(
    'TRANSPORT_TOO_LARGE',
    `message for output ${message.output} has ${bodyBytes} bytes of body and ${propertyBytes} of properties, at most ${MESSAGE_BYTES_MAX} of body are allowed`,
    { retry: 'never' },
  );
}
