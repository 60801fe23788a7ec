"""Writes the fitted model as an ONNX graph, the same bytes for the same parameters."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from model import COUNT, FAR_WEIGHT, LEFT, MEAN_CLIP, RIGHT, SLOPE_CLIP
from windows import ROWS

OPSET = 17
IR_VERSION = 9


class Graph:
    """Collects nodes and constants; every value gets the name it is asked for."""

    def __init__(self):
        self.nodes = []
        self.constants = []

    def constant(self, name, value, dtype=np.float32):
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=dtype), name))
        return name

    def add(self, operator, inputs, output, **attributes):
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output


def rows(graph, name, start, end):
    """Rows `start` to `end` of every window."""
    start = graph.constant(f"{name}_start", [start], np.int64)
    end = graph.constant(f"{name}_end", [end], np.int64)
    return graph.add("Slice", ["window", start, end, "axis_1"], name)


def clipped(graph, value, limit, output):
    low = graph.constant(f"{output}_low", -limit)
    high = graph.constant(f"{output}_high", limit)
    return graph.add("Clip", [value, low, high], output)


def build(parameters):
    graph = Graph()
    graph.constant("axis_1", [1], np.int64)
    for name, value in parameters.items():
        graph.constant(name, value)

    mean = graph.add("ReduceMean", ["window"], "mean", axes=[1], keepdims=0)
    older = graph.add("ReduceMean", [rows(graph, "older_rows", 0, ROWS // 2)], "older", axes=[1], keepdims=0)
    newer = graph.add("ReduceMean", [rows(graph, "newer_rows", ROWS // 2, ROWS)], "newer", axes=[1], keepdims=0)
    slope = graph.add("Sub", [newer, older], "slope")
    steps = graph.add("Sub", [rows(graph, "after", 1, ROWS), rows(graph, "before", 0, ROWS - 1)], "steps")
    squared = graph.add("ReduceMean", [graph.add("Mul", [steps, steps], "steps_squared")], "step_mean", axes=[1], keepdims=0)
    step = graph.add("Log", [graph.add("Add", [squared, "step_floor"], "step_floored")], "step")

    raw = graph.add("Div", [graph.add("Sub", [mean, "mean_centre"], "mean_centred"), "mean_scale"], "raw")
    level = clipped(graph, raw, MEAN_CLIP, "level")
    lean = clipped(graph, graph.add("Div", [slope, "slope_scale"], "slope_scaled"), SLOPE_CLIP, "lean")
    left = graph.add("Gather", [level, graph.constant("left_index", LEFT, np.int64)], "left", axis=1)
    right = graph.add("Gather", [level, graph.constant("right_index", RIGHT, np.int64)], "right", axis=1)
    products = graph.add("Mul", [left, right], "products")
    terms = graph.add("Concat", [level, lean, graph.add("Mul", [lean, lean], "lean_squared"), products], "terms", axis=1)

    predicted = graph.add("Gemm", [terms, "weights", "biases"], "predicted")
    target = graph.add("Concat", [raw, step], "target", axis=1)
    residual = graph.add("Div", [graph.add("Sub", [target, predicted], "unexplained"), "residual_scale"], "residual")
    residual_squared = graph.add("Mul", [residual, residual], "residual_squared")
    split = graph.constant("split", [COUNT, COUNT], np.int64)
    graph.nodes.append(
        helper.make_node("Split", [residual_squared, split], ["mean_part", "step_part"], name="parts", axis=1)
    )
    far = clipped(graph, raw, 20.0, "far")
    far_part = graph.add(
        "Mul", [graph.add("Mul", [far, far], "far_squared"), graph.constant("far_weight", FAR_WEIGHT)], "far_part"
    )
    squares = graph.add("Add", [graph.add("Add", ["mean_part", "step_part"], "both_parts"), far_part], "squares")
    total = graph.add("ReduceSum", [squares, "axis_1"], "total", keepdims=1)
    graph.add("Div", [squares, total], "contributions")
    flat = graph.add("Squeeze", [total, "axis_1"], "total_flat")
    share = graph.constant("mean_factor", 1 / ((2 + FAR_WEIGHT) * COUNT))
    graph.add("Sqrt", [graph.add("Mul", [flat, share], "mean_square")], "score")

    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "pump-loop",
            [helper.make_tensor_value_info("window", TensorProto.FLOAT, ["batch", ROWS, COUNT])],
            [
                helper.make_tensor_value_info("score", TensorProto.FLOAT, ["batch"]),
                helper.make_tensor_value_info("contributions", TensorProto.FLOAT, ["batch", COUNT]),
            ],
            graph.constants,
        ),
        producer_name="holdfast-pump-loop",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)
