#!/usr/bin/env python3
"""Writes one DES-format coadd band: sky noise, stars and galaxies, packed by fpack as DES packs its tiles.

    /usr/bin/python3 make-band.py OUT.fits.fz [SIDE]

Needs numpy, astropy (python3-astropy) and fpack (libcfitsio-bin). Seeded: the same pixels every time.
"""
import os
import subprocess
import sys

import numpy as np
from astropy.io import fits

out, side = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10000
rng = np.random.default_rng(20240607)

image = rng.standard_normal((side, side), dtype=np.float32) * 5
r = 40
y, x = np.mgrid[-r : r + 1, -r : r + 1]
for _ in range(side * side // 2500):  # about 5 sources per square arcminute and magnitude, 0.263"/px
    cx, cy = rng.integers(r, side - r, 2)
    sigma, flux = rng.uniform(1.6, 5), 10 ** rng.uniform(1.5, 4.5)
    image[cy - r : cy + r + 1, cx - r : cx + r + 1] += (
        flux / (2 * np.pi * sigma**2) * np.exp(-(x**2 + y**2) / (2 * sigma**2))
    ).astype(np.float32)

header = fits.Header(
    [("EXTNAME", "SCI"), ("FZALGOR", "RICE_1"), ("FZQMETHD", "SUBTRACTIVE_DITHER_2"), ("FZQVALUE", 16), ("FZDTHRSD", "CHECKSUM")]
)
plain = out + ".plain.fits"
fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(image, header)]).writeto(plain, overwrite=True)
if os.path.exists(out):
    os.remove(out)
subprocess.run(["fpack", "-O", out, plain], check=True)
os.remove(plain)
