"""Drives the module with the clients of Triton and KServe: python module_client.py <host:port> <folder of the bundle>."""

import asyncio
import json
import pathlib
import sys

import numpy as np
import tritonclient.http as triton
from kserve import InferenceRESTClient, InferRequest, RESTConfig
from kserve.protocol.infer_type import InferInput
from tritonclient.utils import InferenceServerException

ADDRESS, BUNDLE = sys.argv[1], pathlib.Path(sys.argv[2])
MANIFEST = json.loads((BUNDLE / "model.json").read_text())
GOLDEN = json.loads((BUNDLE / "golden.json").read_text())
NAME, VERSION, TENSOR = MANIFEST["name"], MANIFEST["version"], MANIFEST["inputs"]["tensor"]
WINDOWS = np.array([case["input"] for case in GOLDEN["cases"]], dtype=np.float32)
SCORES = np.array([case["score"] for case in GOLDEN["cases"]], dtype=np.float32)


def as_expected(scores):
    return np.all(np.abs(scores - SCORES) <= GOLDEN["tolerance"] * (1 + np.abs(SCORES)))


with triton.InferenceServerClient(ADDRESS) as client:
    assert client.is_server_ready() and client.is_model_ready(NAME, VERSION)
    metadata = client.get_model_metadata(NAME)
    assert [one["name"] for one in metadata["inputs"]] == [TENSOR] and metadata["versions"] == [VERSION], metadata
    for binary in [True, False]:
        tensor = triton.InferInput(TENSOR, list(WINDOWS.shape), "FP32")
        tensor.set_data_from_numpy(WINDOWS, binary_data=binary)
        outputs = [triton.InferRequestedOutput(MANIFEST["outputs"]["score"], binary_data=binary)]
        result = client.infer(NAME, [tensor], VERSION, outputs=outputs)
        assert as_expected(result.as_numpy(MANIFEST["outputs"]["score"])), result.get_response()
    index = client.get_model_repository_index()
    assert index == [{"name": NAME, "version": VERSION, "state": "READY", "reason": ""}], index
    statistics = client.get_inference_statistics(NAME)["model_stats"][0]
    assert statistics["inference_count"] == 2 * len(WINDOWS), statistics
    for change in [client.unload_model, client.load_model]:
        try:
            change(NAME)
        except InferenceServerException as error:
            assert error.status() == "403", error
        else:
            raise AssertionError("a model was changed without a permission")
    print("the client of Triton gets the golden outputs")


async def kserve():
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    base = f"http://{ADDRESS}"
    assert await client.is_server_live(base) and await client.is_server_ready(base)
    assert await client.is_model_ready(base, NAME)
    tensor = InferInput(TENSOR, list(WINDOWS.shape), "FP32", data=WINDOWS.flatten().tolist())
    answer = await client.infer(base, InferRequest(NAME, [tensor]), model_name=NAME)
    assert as_expected(next(one for one in answer.outputs if one.name == MANIFEST["outputs"]["score"]).as_numpy())
    await client.close()
    print("the client of KServe gets the golden outputs")


asyncio.run(kserve())
