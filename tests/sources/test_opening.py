from __future__ import annotations

import subprocess
import sys


def test_a_run_of_local_folders_loads_no_network_library() -> None:
    loaded = "{'ssl', 'http.client', 'urllib.request', 'obstore', 'fsspec'} & set(sys.modules)"
    code = f"import sys, pipeline.run.run; sys.exit(str({loaded}))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.stderr.strip() == "set()"
