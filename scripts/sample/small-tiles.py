"""Makes sample/tiles: four DES-format tiles of 512 × 512 pixels, two of them with a rich cluster.

    /usr/bin/python3 scripts/sample/small-tiles.py --out sample/tiles [--png look.png]

All bands of a tile share their sources; a tile's seed comes from its name, so tiles can be made one by one.
"""

import argparse
import tempfile
import zlib
from pathlib import Path

import numpy as np
from astropy.io import fits

import sky

SIDE = 512
CLUSTERS = {  # tile -> x, y, redshift, members
    "DES0001-0541": (300, 270, 0.42, 60),
    "DES0219-0541": None,
    "DES0347-5540": (190, 330, 0.56, 55),
    "DES2215-4957": None,
}
# Bits of MSK as in the DES data management (Morganson et al. 2018 PASP 130, 074501).
BAD_PIXEL, SATURATED, COSMIC_RAY, STAR, TRAIL = 1, 2, 16, 32, 64


def planes(rng, band, signal, star):
    """SCI, MSK and WGT of one band: noise, a saturated star with its bleed trail, cosmic rays, an empty corner."""
    sigma = np.float32(sky.noise_sigma(band))
    science = signal + sigma * rng.standard_normal(signal.shape, np.float32)
    mask = np.zeros(signal.shape, np.int32)
    weight = np.full(signal.shape, 1 / sigma**2, np.float32)
    weight[SIDE // 2 :] *= np.float32(1.25)  # one exposure more in the upper half

    level = np.float32(52000 + 1000 * sky.BANDS.index(band))
    y, x = np.mgrid[:SIDE, :SIDE]
    mask[np.hypot(x - star.x, y - star.y) < 14] |= STAR
    mask[science > level] |= SATURATED
    science = np.minimum(science, level)
    mask[max(0, int(star.y) - 40) : int(star.y) + 40, int(star.x) : int(star.x) + 2] |= TRAIL
    for row, column in rng.integers(0, SIDE - 4, (6, 2)):
        mask[row, column : column + 3] |= COSMIC_RAY
        science[row, column : column + 3] = np.nan
    mask[:10, :30] |= BAD_PIXEL
    science[:10, :30] = 0
    weight[mask & (BAD_PIXEL | COSMIC_RAY | SATURATED) > 0] = 0
    return science.astype(np.float32), mask, weight


def make_tile(out, name, centre, tag):
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    star = sky.Source(*rng.uniform(60, SIDE - 60, 2), sky.from_colours(14.6, 0.5, 0.2, 0.1), ([1.0], [0.0]), 0.0, (0, 0))
    margin = 40  # sources beyond the edge shine in
    sources = sky.field(rng, SIDE + 2 * margin, SIDE + 2 * margin)
    for source in sources:
        source.x, source.y = source.x - margin, source.y - margin
    sources.append(star)
    if CLUSTERS[name]:
        sources += sky.cluster(rng, *CLUSTERS[name])
    images = {}
    for band in sky.BANDS:
        science, mask, weight = planes(rng, band, sky.render(sources, band, SIDE, SIDE), star)
        heads = [sky.header(extension, name, band, *centre, tag, SIDE, SIDE) for extension in ("SCI", "MSK", "WGT")]
        hdus = [fits.PrimaryHDU(), *(fits.ImageHDU(plane, head) for plane, head in zip((science, mask, weight), heads))]
        with tempfile.TemporaryDirectory() as folder:
            plain = Path(folder) / "plain.fits"
            fits.HDUList(hdus).writeto(plain)
            sky.pack(plain, out / sky.file_name(name, tag, band))
        images[band] = science
    return images


def colour(images):
    """An i, r, g picture with an asinh stretch, first row at the bottom (Lupton et al. 2004 PASP 116, 133)."""
    red, green, blue = (np.nan_to_num(images[band]) / scale for band, scale in (("i", 4.5), ("r", 2.6), ("g", 1.6)))
    total = (red + green + blue) / 3 + 1e-9
    stretched = np.arcsinh(total / 4) / 4.5
    rgb = np.stack([channel / total * stretched for channel in (red, green, blue)], -1)
    return (np.clip(rgb[::-1], 0, 1) * 255).astype(np.uint8)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--tiles-csv", default=Path(__file__).with_name("dr2_tiles.csv"), help="DES DR2 tiles: four of them, or the whole list")
    arguments.add_argument("--out", required=True, type=Path)
    arguments.add_argument("--png", type=Path, help="a picture of the tiles side by side")
    options = arguments.parse_args()
    pictures = []
    for name, (ra, dec, tag) in sky.tile_centres(options.tiles_csv, CLUSTERS).items():
        pictures.append(colour(make_tile(options.out, name, (ra, dec), tag)))
    if options.png:
        from PIL import Image

        Image.fromarray(np.vstack([np.hstack(pictures[:2]), np.hstack(pictures[2:])])).save(options.png)


if __name__ == "__main__":
    main()
