/** Entry of the thread that parses long texts; started by RequestReader, answers each job in order. */
import { parentPort } from 'node:worker_threads';
import type { ApiError } from './api-error.ts';
import { readInferRequest } from './infer-request.ts';
import { parseJson } from './json-text.ts';
import type { ParseJob, ParseReply } from './request-reader.ts';

const port = parentPort!;

port.on('message', ({ id, text }: ParseJob) => {
  const { reply, transfer } = answer(
    id,
    Buffer.from(text.buffer, text.byteOffset, text.byteLength),
  );
  port.postMessage(reply, transfer);
});

function answer(id: number, text: Buffer): { reply: ParseReply; transfer: ArrayBuffer[] } {
  try {
    const request = readInferRequest(parseJson(text));
    const transfer = request.inputs.flatMap(({ data }) =>
      data === undefined ? [] : [data.buffer],
    );
    return { reply: { id, request }, transfer };
  } catch (error) {
    const { status = 500, message } = error as Partial<ApiError>;
    return { reply: { id, refused: { status, message: message ?? 'unknown' } }, transfer: [] };
  }
}
