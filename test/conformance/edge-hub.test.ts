// Goal: the edge hub adapter keeps what the transport port promises. Method: the conformance suite on the local
// edge's hub, each module a process with the unmodified SDK, over TLS through a gate that can be cut.
import { MESSAGE_BYTES_MAX } from '@holdfast/contracts';
import { until } from '@holdfast/testkit';
import { describeTransport } from '@holdfast/transport/testing/conformance';
import { LocalHub } from './local-hub.ts';

describeTransport('the edge hub', () => LocalHub.open(), { until, bytesMax: MESSAGE_BYTES_MAX });
