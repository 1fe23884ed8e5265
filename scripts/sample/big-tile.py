"""Makes DES-format tiles of full size for benchmarks: 4 bands of 10000 × 10000, about 100 MB a band.

    /usr/bin/python3 scripts/sample/big-tile.py --out /var/tmp/tiles --count 1

One patch of sources is repeated over the tile; the noise is fresh in every pixel, because compression,
decoding and quantiles depend on it. Rows are written in strips, so memory stays under 1 GB.
"""

import argparse
from pathlib import Path

import numpy as np
from astropy.io import fits

import sky

PATCH = 2000
STRIP = 500


def write_plane(out, head, bitpix, side, strips):
    """One image extension, its rows coming in strips of big-endian pixels."""
    image = fits.Header([("XTENSION", "IMAGE"), ("BITPIX", bitpix), ("NAXIS", 2), ("NAXIS1", side), ("NAXIS2", side), ("PCOUNT", 0), ("GCOUNT", 1)])
    image.extend(head)
    out.write(image.tostring().encode("ascii"))
    written = 0
    for strip in strips:
        written += out.write(strip.tobytes())
    out.write(bytes(-written % 2880))


def masked(msk, y0, side):
    """The mask of rows y0…: bleed trails (64), a lost corner (1) and single cosmic rays (16)."""
    y = np.arange(y0, y0 + len(msk))
    msk[(y % 2500 > 700) & (y % 2500 < 1100), 3 * side // 10 : 3 * side // 10 + 4] |= 64
    msk[y < side // 100, : side // 50] |= 1
    for row in y[y % 37 == 0]:
        msk[row - y0, row * 613 % side] |= 16
    return msk


def band_file(out_path, tile, tag, centre, band, side, patch, seed):
    rng = np.random.default_rng([seed, sky.BANDS.index(band)])
    sigma = np.float32(sky.noise_sigma(band))
    repeats = -(-side // PATCH)

    def science():
        for y0 in range(0, side, STRIP):
            rows = np.tile(patch[np.arange(y0, min(y0 + STRIP, side)) % PATCH], (1, repeats))[:, :side]
            pixels = rows + sigma * rng.standard_normal(rows.shape, np.float32)
            pixels[masked(np.zeros(rows.shape, np.int32), y0, side) & 1 > 0] = 0
            yield pixels.astype(">f4")

    def mask():
        for y0 in range(0, side, STRIP):
            yield masked(np.zeros((min(STRIP, side - y0), side), np.int32), y0, side).astype(">i4")

    def weight():
        for y0 in range(0, side, STRIP):
            rows = np.full((min(STRIP, side - y0), side), 1 / sigma**2, np.float32)
            rows[:, side // 2 :] *= np.float32(1.25)
            rows[masked(np.zeros(rows.shape, np.int32), y0, side) > 0] = 0
            yield rows.astype(">f4")

    plain = out_path.with_name(out_path.name.removesuffix(".fz") + ".plain")
    plain.parent.mkdir(parents=True, exist_ok=True)
    with open(plain, "wb") as out:
        out.write(fits.PrimaryHDU().header.tostring().encode("ascii"))
        for name, bitpix, strips in (("SCI", -32, science()), ("MSK", 32, mask()), ("WGT", -32, weight())):
            write_plane(out, sky.header(name, tile, band, *centre, tag, side, side), bitpix, side, strips)
    sky.pack(plain, out_path)
    plain.unlink()


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--tiles-csv", default=Path(__file__).with_name("dr2_tiles.csv"), help="DES DR2 tiles: four of them, or the whole list")
    arguments.add_argument("--out", required=True, type=Path, help="folder that gets one folder per tile")
    arguments.add_argument("--count", type=int, default=1, help="tiles, in the order of the list")
    arguments.add_argument("--side", type=int, default=10000, help="pixels")
    arguments.add_argument("--seed", type=int, default=20)
    options = arguments.parse_args()

    names = [line.split(";")[0] for line in open(options.tiles_csv).readlines()[1 : options.count + 1]]
    rng = np.random.default_rng(options.seed)
    sources = sky.field(rng, PATCH, PATCH)
    sources += sky.cluster(rng, 700, 600, 0.45, 60) + sky.cluster(rng, 1500, 1400, 0.6, 45)
    patches = {band: sky.render(sources, band, PATCH, PATCH, wrap=True) for band in sky.BANDS}
    for n, (name, (ra, dec, tag)) in enumerate(sky.tile_centres(options.tiles_csv, names).items()):
        for band in sky.BANDS:
            path = options.out / sky.file_name(name, tag, band)
            band_file(path, name, tag, (ra, dec), band, options.side, patches[band], options.seed + n)
            print(path, f"{path.stat().st_size / 1e6:.1f} MB", flush=True)


if __name__ == "__main__":
    main()
