"""Decodes one band with astropy, as most pipelines do: the whole image at once.

    /usr/bin/python3 bench/baseline/decode_astropy.py BAND.fits.fz [HDU] [REPEATS]

Prints one JSON line: the median wall and CPU seconds, pixels, and the peak memory of the process.
"""

import json
import resource
import statistics
import sys
import time

import numpy as np
from astropy.io import fits


def main():
    path = sys.argv[1]
    hdu = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    repeats = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    wall, cpu = [], []
    for _ in range(repeats):
        wall0, cpu0 = time.perf_counter(), time.process_time()
        with fits.open(path, memmap=False) as file:
            pixels = np.asarray(file[hdu].data, np.float32)
        wall.append(time.perf_counter() - wall0)
        cpu.append(time.process_time() - cpu0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(dict(
        wall_s=round(statistics.median(wall), 3), cpu_s=round(statistics.median(cpu), 3), pixels=pixels.size, peak_bytes=peak, repeats=repeats)))


if __name__ == "__main__":
    main()
