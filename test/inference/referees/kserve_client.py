"""Drives a server with the REST client of KServe: python kserve_client.py <host:port> <token>. Prints what it has seen."""

import asyncio
import sys

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferRequest, RESTConfig
from kserve.protocol.infer_type import InferInput, RequestedOutput

ADDRESS, TOKEN = sys.argv[1], sys.argv[2]
BASE = f"http://{ADDRESS}"


def seen(what):
    print(what, flush=True)


def headers():
    return {"authorization": f"Bearer {TOKEN}"}


async def main():
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    assert await client.is_server_live(BASE) is True
    assert await client.is_server_ready(BASE) is True
    assert await client.is_model_ready(BASE, "every FP32", headers=headers()) is True
    assert await client.is_model_ready(BASE, "missing", headers=headers()) is False
    seen("health and readiness")

    for datatype, dtype in [("FP32", np.float32), ("FP64", np.float64), ("INT64", np.int64), ("UINT8", np.uint8),
                            ("FP16", np.float16), ("INT32", np.int32)]:
        array = np.array([[1, 2], [3, 4]], dtype=dtype)
        tensor = InferInput("x", list(array.shape), datatype)
        tensor.set_data_from_numpy(array, binary_data=True)
        outputs = [RequestedOutput("y", {"binary_data": True})]
        request = InferRequest(f"every {datatype}", [tensor], request_id="k", request_outputs=outputs)
        answer = await client.infer(BASE, request, model_name=f"every {datatype}", headers=headers())
        assert np.array_equal(answer.outputs[0].as_numpy(), array), answer
        assert answer.id == "k" and answer.model_name == f"every {datatype}"
        if datatype == "FP16":
            continue
        tensor = InferInput("x", list(array.shape), datatype, data=array.flatten().tolist())
        request = InferRequest(f"every {datatype}", [tensor])
        answer = await client.infer(BASE, request, model_name=f"every {datatype}", headers=headers())
        assert np.array_equal(answer.outputs[0].as_numpy(), array), answer
    seen("tensors as binary data and as JSON")

    plain = {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "INT64", "data": [2**63 - 1, -(2**63)]}]}
    answer = await client.infer(BASE, plain, model_name="every INT64", headers=headers())
    assert answer.outputs[0].data == [2**63 - 1, -(2**63)], answer.outputs[0].data
    seen("64-bit numbers to the last digit")

    large = np.arange(100_000, dtype=np.float32).reshape(50_000, 2)
    tensor = InferInput("x", list(large.shape), "FP32", data=large.flatten().tolist())
    answer = await client.infer(BASE, InferRequest("every FP32", [tensor]), model_name="every FP32", headers=headers())
    assert np.array_equal(answer.outputs[0].as_numpy(), large)
    seen("compressed answers, which it asks for by itself")

    for name, body, status, words in [
        ("missing", plain, 404, 'model "missing" is not known'),
        ("every FP32", plain, 400, "datatype INT64 is not allowed, must be FP32"),
        ("every FP32", {}, 400, "inputs: is missing"),
    ]:
        try:
            await client.infer(BASE, body, model_name=name, headers=headers())
        except httpx.HTTPStatusError as error:
            assert error.response.status_code == status and words in str(error), error
        else:
            raise AssertionError(f"was not refused with {status}")
    seen("errors, each with its sentence")
    await client.close()


asyncio.run(main())
