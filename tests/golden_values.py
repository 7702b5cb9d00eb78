"""Values that every backend must reproduce, kept as JSON under tests/golden.

`WRITE_GOLDEN=1 pytest ...` on one backend writes them anew; the other backends are then held to them.
"""

import json
import os
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).with_name("golden")


def check_golden(
    name: str, values: dict[str, np.ndarray], tolerance: float = 1e-5, absolute: float | None = None
) -> None:
    """Holds `values` to those on file: integers exactly, floating-point numbers to `tolerance`, relative above 1.

    Or, if `absolute` is given, to that much besides.
    """
    path = FOLDER / f"{name}.json"
    values = {key: np.asarray(value) for key, value in values.items()}
    if os.environ.get("WRITE_GOLDEN"):
        FOLDER.mkdir(exist_ok=True)
        text = {key: {"dtype": str(value.dtype), "values": value.tolist()} for key, value in values.items()}
        lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(entry)}" for key, entry in text.items())
        path.write_text("{\n" + lines + "\n}\n")
    golden = json.loads(path.read_text())
    assert sorted(golden) == sorted(values)
    for key, value in values.items():
        expected = np.array(golden[key]["values"], golden[key]["dtype"])
        assert value.dtype == expected.dtype, key
        if np.issubdtype(expected.dtype, np.floating):
            np.testing.assert_allclose(value, expected, rtol=tolerance, atol=absolute or tolerance, err_msg=key)
        else:
            np.testing.assert_array_equal(value, expected, err_msg=key)
