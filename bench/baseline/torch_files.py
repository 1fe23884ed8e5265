"""Writes and reads a .pt file with torch, as the case study of BLISS caches its fields.

    /usr/bin/python3 bench/baseline/torch_files.py write|read FILE.pt FIELDS SIDE

A file is a list of dicts with `images`, float32 (4, SIDE, SIDE). Prints one JSON line: wall and CPU seconds, peak memory.
"""

import json
import resource
import sys
import time

import torch


def main():
    verb, path, fields, side = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    torch.set_num_threads(1)
    if verb == "write":
        data = [{"images": torch.arange(4 * side * side, dtype=torch.float32).reshape(4, side, side) + field} for field in range(fields)]
    wall, cpu = time.perf_counter(), time.process_time()
    if verb == "write":
        torch.save(data, path)
    else:
        data = torch.load(path)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert [float(entry["images"][0, 0, 1]) for entry in data] == [1.0 + field for field in range(fields)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(dict(wall_s=wall, cpu_s=cpu, peak_bytes=peak)))


if __name__ == "__main__":
    main()
