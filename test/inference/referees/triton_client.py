"""Drives a server with the HTTP client of Triton: python triton_client.py <host:port> <token>. Prints what it has seen."""

import sys

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException, triton_to_np_dtype

ADDRESS, TOKEN = sys.argv[1], sys.argv[2]
TYPES = ["BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64"]


def headers():
    """New for each call: the client puts its own into them."""
    return {"authorization": f"Bearer {TOKEN}"}


def seen(what):
    print(what, flush=True)


def refused(status, words, call):
    try:
        call()
    except InferenceServerException as error:
        assert error.status() == str(status), error
        assert words in error.message(), error
    else:
        raise AssertionError(f"was not refused with {status}")


def values(datatype):
    dtype = triton_to_np_dtype(datatype)
    if datatype == "BOOL":
        return np.array([[True, False]])
    if datatype == "BYTES":
        return np.array([["Süd".encode(), b""]], dtype=np.object_)
    limits = np.iinfo(dtype) if np.issubdtype(dtype, np.integer) else np.finfo(dtype)
    return np.array([[limits.min, limits.max]], dtype=dtype)


def infer(client, datatype, array, **options):
    tensor = triton.InferInput("x", list(array.shape), datatype)
    tensor.set_data_from_numpy(array, binary_data=options.pop("binary", True))
    result = client.infer(f"every {datatype}", [tensor], headers=headers(), **options)
    found = result.as_numpy("y")
    if datatype == "BYTES":
        # Texts come out of JSON as they are.
        found = np.array([one.encode() if isinstance(one, str) else one for one in found.flatten()], dtype=np.object_)
        found = found.reshape(array.shape)
    assert found.dtype == array.dtype, found.dtype
    assert np.array_equal(found, array), (found, array)
    return result


with triton.InferenceServerClient(ADDRESS) as client:
    assert client.is_server_live() and client.is_server_ready()
    seen("health, without a token")
    refused(401, "Bearer", lambda: client.get_server_metadata())
    seen("refused without a token")
    metadata = client.get_server_metadata(headers=headers())
    assert metadata["name"] == "holdfast" and "binary_tensor_data" in metadata["extensions"]
    model = client.get_model_metadata("every FP32", headers=headers())
    assert model["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}], model
    assert client.is_model_ready("every FP32", "v10", headers=headers())
    assert not client.is_model_ready("every FP32", "v11", headers=headers())
    seen("metadata and readiness of models, with and without version")

    for datatype in [*TYPES, "BYTES"]:
        infer(client, datatype, values(datatype))
        if datatype == "FP16":
            continue
        y = [triton.InferRequestedOutput("y", binary_data=False)]
        infer(client, datatype, values(datatype), binary=False, outputs=y)
        infer(client, datatype, values(datatype), binary=True, outputs=y)
        infer(client, datatype, values(datatype), binary=False)
    seen("every data type, as binary data, as JSON and mixed")

    large = np.arange(200_000, dtype=np.float32).reshape(100_000, 2)
    infer(client, "FP32", large)
    y = [triton.InferRequestedOutput("y", binary_data=False)]
    infer(client, "FP32", large, binary=False, outputs=y)
    infer(client, "FP32", np.empty((0, 2), dtype=np.float32))
    seen("large tensors and empty ones")

    for sent in [None, "gzip", "deflate"]:
        for received in [None, "gzip", "deflate"]:
            options = {"request_compression_algorithm": sent, "response_compression_algorithm": received}
            infer(client, "FP32", large[:2_000], **options)
            infer(client, "FP32", large[:2_000], binary=False, outputs=y, **options)
    seen("compression, all ways")

    result = infer(client, "INT32", values("INT32"), request_id="a-1", priority=1, timeout=5_000_000,
                   model_version="v10", parameters={"custom": "ignored"})
    assert result.get_response()["id"] == "a-1"
    assert result.get_response()["model_version"] == "v10"
    seen("id, version, priority, timeout and parameters")

    tensor = triton.InferInput("x", [2, 2], "FP32")
    tensor.set_data_from_numpy(np.array([[0.25, 0.75], [1, 0.5]], dtype=np.float32))
    for binary in [True, False]:
        best = [triton.InferRequestedOutput("y", binary_data=binary, class_count=1)]
        found = client.infer("every FP32", [tensor], outputs=best, headers=headers()).as_numpy("y")
        assert [str(one, "utf-8") if isinstance(one, bytes) else one for one in found.flatten()] == ["0.75:1", "1:0"], found
    seen("classification")

    pending = [client.async_infer("every FP32", [tensor], headers=headers()) for _ in range(20)]
    assert all(one.get_result().as_numpy("y").shape == (2, 2) for one in pending)
    seen("many at once")

    statistics = client.get_inference_statistics("every INT32", "v10", headers=headers())["model_stats"]
    assert len(statistics) == 1 and statistics[0]["inference_stats"]["success"]["count"] == 5, statistics
    assert len(client.get_inference_statistics(headers=headers())["model_stats"]) >= len(TYPES)
    seen("statistics")

    index = client.get_model_repository_index(headers=headers())
    assert {"name": "every FP32", "version": "v10", "state": "READY", "reason": ""} in index, index
    client.unload_model("every UINT8", headers=headers())
    assert not client.is_model_ready("every UINT8", headers=headers())
    refused(503, 'model "every UINT8" is not ready', lambda: infer(client, "UINT8", values("UINT8")))
    client.load_model("every UINT8", headers=headers())
    infer(client, "UINT8", values("UINT8"))
    refused(404, 'model "missing" is not known', lambda: client.load_model("missing", headers=headers()))
    seen("repository: index, unload and load")

    refused(404, 'model "missing" is not known', lambda: client.get_model_metadata("missing", headers=headers()))
    wrong = triton.InferInput("x", [1, 3], "FP32")
    wrong.set_data_from_numpy(np.zeros((1, 3), dtype=np.float32))
    refused(400, "shape [1, 3] is not allowed, must be [-1, 2]",
            lambda: client.infer("every FP32", [wrong], headers=headers()))
    other = triton.InferInput("z", [1, 2], "FP32")
    other.set_data_from_numpy(np.zeros((1, 2), dtype=np.float32))
    refused(400, 'input "z": is not known', lambda: client.infer("every FP32", [other], headers=headers()))
    unknown = [triton.InferRequestedOutput("z")]
    refused(400, 'output "z": is not known', lambda: client.infer("every FP32", [tensor], outputs=unknown, headers=headers()))
    refused(404, "is not known", lambda: client.get_trace_settings(headers=headers()))
    seen("errors, each with its sentence")
