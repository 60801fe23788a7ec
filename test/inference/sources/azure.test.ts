/**
 * Goal: Azure Blob Storage is a source and a target by a container's SAS alone, large blobs and missing rights
 * included. Method: Azurite, with a SAS that its own client library makes.
 */
import {
  BlobServiceClient,
  ContainerSASPermissions,
  generateBlobSASQueryParameters,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import { pushBundle, type SourceError } from '@holdfast/model-bundle';
import { TcpGate, temporaryFolder } from '@holdfast/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  ACCOUNT,
  type Azurite,
  connectionString,
  KEY,
  startAzurite,
} from '../../forwarder/azurite.ts';
import { aBundle, expectBundle, FAST, failureOf, fetchFast } from './bundle-files.ts';

const CONTAINER = 'models';
let azurite: Azurite;
let into: string;
beforeAll(async () => {
  azurite = await startAzurite(temporaryFolder('azurite'));
  const service = BlobServiceClient.fromConnectionString(connectionString(azurite.port));
  await service.getContainerClient(CONTAINER).create();
});
afterAll(() => azurite.stop());
beforeEach(() => {
  into = temporaryFolder('store');
});

/** A SAS of the container with these rights, as the portal gives it. */
const sasOf = (permissions: string, lifeMs = 3_600_000): string =>
  generateBlobSASQueryParameters(
    {
      containerName: CONTAINER,
      permissions: ContainerSASPermissions.parse(permissions),
      startsOn: new Date(Date.now() - 7_200_000),
      expiresOn: new Date(Date.now() + lifeMs),
    },
    new StorageSharedKeyCredential(ACCOUNT, KEY),
  ).toString();
const at = (path: string, port = azurite.port): string =>
  `http://127.0.0.1:${port}/${ACCOUNT}/${CONTAINER}/${path}`;
const credentials = (sas: string, port = azurite.port) => ({
  [`127.0.0.1:${port}/${ACCOUNT}/${CONTAINER}`]: { sas },
});

describe('a container of Azure Blob Storage', () => {
  it('takes a bundle, blocks of a large blob included, and gives it back with a SAS for reading', async () => {
    const bundle = aBundle({ modelBytes: 40_000_000, signature: 'signed' });
    const ref = at('pump/1.0');
    const pushed = await pushBundle(bundle.folder, ref, {
      credentials: credentials(sasOf('cw')),
      limits: FAST,
    });
    expect(pushed).toEqual({ ref: `${ref}/`, digest: bundle.digest, manifestDigest: undefined });
    const fetched = await fetchFast(pushed.ref, bundle.digest, {
      into,
      credentials: credentials(sasOf('r')),
    });
    expectBundle(fetched.folder, bundle);
  });

  it('gives the rest when a pull was broken off', async () => {
    const bundle = aBundle({ modelBytes: 8_000_000, seed: 5 });
    await pushBundle(bundle.folder, at('pump/2.0'), {
      credentials: credentials(sasOf('cw')),
      limits: FAST,
    });
    const gate = await TcpGate.open({ port: azurite.port });
    let cuts = 0;
    const onProgress = ({ bytesDone }: { bytesDone: number }): void => {
      if (bytesDone < (cuts + 1) * 2_000_000 || cuts === 3) return;
      cuts += 1;
      gate.cut();
    };
    // The address goes into the signature, so the SAS is in the ref here, as the portal's "Blob SAS URL" has it.
    const ref = `${at('pump/2.0', gate.port)}?${sasOf('r')}`;
    const fetched = await fetchFast(ref, bundle.digest, { into, onProgress });
    expectBundle(fetched.folder, bundle);
    expect(cuts).toBe(3);
    expect(fetched.bytesFetched).toBeLessThan(bundle.bytes + 2_000);
    await gate.close();
  });

  it('says what is wrong, and nothing that is secret', async () => {
    const bundle = aBundle({ seed: 9 });
    await pushBundle(bundle.folder, at('pump/3.0'), {
      credentials: credentials(sasOf('cw')),
      limits: FAST,
    });
    const fails = (sas: string | undefined, path = 'pump/3.0'): Promise<SourceError> =>
      failureOf(at(path), bundle.digest, {
        into,
        credentials: sas === undefined ? {} : credentials(sas),
      });
    const expired = sasOf('r', -1_000);
    const writing = sasOf('w');
    const errors = [
      await fails(undefined),
      await fails(expired),
      await fails(writing),
      await fails(sasOf('r'), 'pump/4.0'),
    ];
    expect(errors.map(({ code }) => code)).toEqual([
      'SOURCE_DENIED',
      'SOURCE_DENIED',
      'SOURCE_DENIED',
      'SOURCE_NOT_FOUND',
    ]);
    expect(errors.map(({ retry }) => retry)).toEqual(Array(4).fill('later'));
    const texts = errors.map(({ message }) => message).join('\n');
    for (const secret of [expired, writing]) {
      const signature = new URLSearchParams(secret).get('sig') ?? '';
      expect(signature).not.toBe('');
      expect(texts).not.toContain(signature);
      expect(texts).not.toContain(encodeURIComponent(signature));
    }
  });
});
