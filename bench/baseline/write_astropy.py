#!/usr/bin/env python3
"""Writes a band with astropy, plain or compressed as DES has it; prints seconds and bytes.

    /usr/bin/python3 write_astropy.py PIXELS.f32 SIDE OUT rice|image

The pixels are in memory before the clock starts. Needs python3-astropy.
"""
import json
import os
import sys
import time

import numpy as np
from astropy.io import fits

pixels, side, out, form = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
image = np.fromfile(pixels, "f4").reshape(side, side)
wall, cpu = time.perf_counter(), time.process_time()
if form == "rice":
    hdu = fits.CompImageHDU(image, name="SCI", compression_type="RICE_1", quantize_level=16, quantize_method=2, dither_seed=-1)
else:
    hdu = fits.ImageHDU(image, name="SCI")
fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(out, overwrite=True, checksum=True)
fd = os.open(out, os.O_RDONLY)
os.fsync(fd)
os.close(fd)
print(json.dumps(dict(wall=time.perf_counter() - wall, cpu=time.process_time() - cpu, bytes=os.path.getsize(out))))
os.remove(out)
