"""A small believable sky: galaxies, stars and clusters on pixels, and DES-format files around them.

Used in development only, by small-tiles.py and big-tile.py. Needs Debian's python3-astropy and libcfitsio-bin.
Fluxes have zero point 30, positions are 0-based pixels, sizes are arcsec, arrays are [y][x].
"""

import math
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits

BANDS = "griz"
PIXEL_ARCSEC = 0.263
ZERO_POINT = 30.0
# Magnitude at S/N 10 in a 1.95" aperture of the DES DR2 coadds (Abbott et al. 2021 ApJS 255, 20), and the seeing.
DEPTH = dict(g=24.7, r=24.4, i=23.8, z=23.1)
SEEING_FWHM_ARCSEC = dict(g=1.11, r=0.95, i=0.88, z=0.83)

# Profiles as sums of Gaussians (Hogg & Lang 2013 PASP 125, 719), half-light radius 1: weight, variance.
EXPONENTIAL = ([2.34853813e-03, 3.07995260e-02, 2.23364214e-01, 1.17949102e00, 4.33873750e00, 5.99820770e00],
               [1.20078965e-03, 8.84526493e-03, 3.91463084e-02, 1.39976817e-01, 4.60962500e-01, 1.50159566e00])
DE_VAUCOULEURS = ([4.26347652e-02, 2.40127183e-01, 6.85907632e-01, 1.51937350e00, 2.83627243e00, 4.46467501e00, 5.72440830e00, 5.60989349e00],
                  [2.23759216e-04, 1.00220099e-03, 4.18731126e-03, 1.69432589e-02, 6.84850479e-02, 2.87207080e-01, 1.33320254e00, 8.40215071e00])
# A point source after the atmosphere: core and wings, variances in units of the core's.
PSF = ([0.75, 0.20, 0.05], [1.0, 3.0, 14.0])

# Red sequence: z, m*_i, g-r, r-i, i-z (passively evolving Bruzual & Charlot 2003 burst, formed at z = 3).
RED_SEQUENCE = np.array([
    (0.30, 18.74, 1.58, 0.54, 0.31), (0.40, 19.47, 1.80, 0.62, 0.34), (0.50, 20.06, 1.77, 0.79, 0.41),
    (0.60, 20.55, 1.73, 1.01, 0.45), (0.70, 20.99, 1.84, 1.18, 0.48)])


@dataclass
class Source:
    x: float
    y: float
    magnitudes: dict  # band -> AB magnitude
    profile: tuple
    half_light_arcsec: float
    shear: tuple  # g1, g2


def noise_sigma(band):
    """Noise of one pixel: a tenth of the depth's flux, spread over the pixels of the 1.95" aperture."""
    aperture_pixels = math.pi * (1.95 / 2 / PIXEL_ARCSEC) ** 2
    return 10 ** (0.4 * (ZERO_POINT - DEPTH[band])) / 10 / math.sqrt(aperture_pixels)


def from_colours(i, gr, ri, iz):
    return dict(g=i + gr + ri, r=i + ri, i=i, z=i - iz)


def magnitude_table():
    """Counts of galaxies in i: a slope of 0.55 when bright and 0.33 when faint, rolled off at 24."""
    m = np.linspace(15, 25, 4001)
    counts = np.cumsum(np.where(m < 19, 0.55, 0.33)) * (m[1] - m[0])
    rolloff = np.array([0.5 * math.erfc((v - 24.0) / 0.45) for v in m])
    cumulative = np.cumsum(10 ** (counts - counts[0]) * rolloff)
    return m, cumulative / cumulative[-1]


def field(rng, width, height):
    """Background galaxies and stars, uniform on width × height pixels, 35 per square arcminute."""
    m, cumulative = magnitude_table()
    out = []
    for _ in range(rng.poisson(0.00067 * width * height)):
        i = float(np.interp(rng.uniform(), cumulative, m))
        x, y = rng.uniform(-0.5, width - 0.5), rng.uniform(-0.5, height - 0.5)
        if rng.uniform() < np.clip(0.55 - 0.11 * (i - 19), 0.04, 0.75):
            gi = rng.normal(0.6, 0.2) if rng.uniform() < 0.45 else rng.normal(2.2, 0.45)
            gr = 0.70 * gi if gi < 1.9 else 1.33 + 0.05 * (gi - 1.9)
            colours = gr, gi - gr, 0.02 + 0.5 * (gi - gr)
            out.append(Source(x, y, from_colours(i, *colours), ([1.0], [0.0]), 0.0, (0, 0)))
            continue
        red = rng.uniform() < np.clip(0.55 - 0.07 * (i - 19), 0.15, 0.60)
        colours = (rng.normal(1.35, 0.25), rng.normal(0.70, 0.22), rng.normal(0.36, 0.10)) if red else (
            rng.normal(0.60, 0.25), rng.normal(0.35, 0.18), rng.normal(0.20, 0.14))
        size = float(np.clip(math.exp(rng.normal(math.log(0.55) - 0.13 * (i - 22), 0.35)), 0.15, 6))
        out.append(Source(x, y, from_colours(i, *colours), DE_VAUCOULEURS if red else EXPONENTIAL, size, tuple(rng.normal(0, 0.18, 2).clip(-0.55, 0.55))))
    return out


def cluster(rng, x, y, redshift, members):
    """A rich cluster: red-sequence members in a cored profile around one brightest galaxy."""
    m_star, *ridge = (np.interp(redshift, RED_SEQUENCE[:, 0], RED_SEQUENCE[:, k]) for k in range(1, 5))
    out = []
    for n in range(members):
        i = m_star - 1.6 if n == 0 else m_star + rng.choice([-1.2, -0.6, 0, 0.5, 1.0, 1.5], p=[.03, .09, .18, .22, .24, .24]) + rng.uniform(-0.3, 0.3)
        radius = 0 if n == 0 else 60 * math.sqrt((1 - rng.uniform(0, 0.88)) ** -1.15 - 1)  # core of 16"
        angle = rng.uniform(0, 2 * math.pi)
        tilt = np.array([-0.03, -0.02, 0]) * (i - m_star)
        gr, ri, iz = np.array(ridge) + tilt + rng.normal(0, [0.05, 0.03, 0.03])
        size = 2.2 if n == 0 else float(np.clip(math.exp(rng.normal(math.log(0.75) - 0.18 * (i - m_star), 0.25)), 0.25, 2))
        shear = tuple(rng.normal(0, 0.12, 2).clip(-0.5, 0.5))
        out.append(Source(x + radius * math.cos(angle), y + 0.8 * radius * math.sin(angle), from_colours(i, gr, ri, iz), DE_VAUCOULEURS, size, shear))
    return out


def render(sources, band, width, height, wrap=False):
    """Noiseless pixels; with `wrap` a source that leaves one edge enters at the other, so patches join."""
    image = np.zeros((height, width), np.float64)
    sigma_psf = SEEING_FWHM_ARCSEC[band] / PIXEL_ARCSEC / 2.3548
    faintest = noise_sigma(band) * 0.03  # where a stamp may end
    for s in sources:
        flux = 10 ** (0.4 * (ZERO_POINT - s.magnitudes[band]))
        g1, g2 = s.shear
        norm = 1 / math.sqrt(1 - g1 * g1 - g2 * g2)
        shear = norm * np.array([[1 + g1, g2], [g2, 1 - g1]])
        shape = shear @ shear.T * (s.half_light_arcsec / PIXEL_ARCSEC) ** 2
        weights = np.array(s.profile[0]) / np.sum(s.profile[0])
        for w, v in zip(weights, s.profile[1]):
            for wp, vp in zip(*PSF):
                c = shape * v + np.eye(2) * (sigma_psf ** 2 * vp + 1 / 12)  # 1/12: the pixel's own width
                det = c[0, 0] * c[1, 1] - c[0, 1] ** 2
                peak = flux * w * wp / (2 * math.pi * math.sqrt(det))
                if peak < faintest:
                    continue
                reach = int(math.sqrt(2 * math.log(peak / faintest) * max(c[0, 0], c[1, 1]))) + 2
                x = np.arange(round(s.x) - reach, round(s.x) + reach + 1)
                y = np.arange(round(s.y) - reach, round(s.y) + reach + 1)
                if wrap and (len(x) > width or len(y) > height):
                    x, y = np.arange(width), np.arange(height)
                if not wrap:
                    x, y = x[(x >= 0) & (x < width)], y[(y >= 0) & (y < height)]
                    if not len(x) or not len(y):
                        continue
                dx, dy = (x - s.x)[None, :], (y - s.y)[:, None]
                stamp = peak * np.exp(-0.5 * (c[1, 1] * dx * dx - 2 * c[0, 1] * dx * dy + c[0, 0] * dy * dy) / det)
                image[np.ix_(y % height, x % width)] += stamp
    return image.astype(np.float32)


def tile_centres(csv, names):
    """Centre (ra, dec in degrees) and archive tag (`r4907p01`) of DES DR2 tiles, from the published list."""
    rows = {r[0]: r for r in (line.strip().split(";") for line in open(csv).readlines()[1:])}
    out = {}
    for name in names:
        _, ra0, dec0, ra1, dec1, archive = rows[name]
        west, east = float(ra0), float(ra1)
        east += 360 if east < west else 0
        _, request, _, attempt, _ = archive.split("/")
        out[name] = ((west + east) / 2 % 360, (float(dec0) + float(dec1)) / 2, request + attempt)
    return out


def header(extension, tile, band, ra, dec, tag, width, height):
    """Header of one image of a DES coadd tile, with the FZ* keywords that tell fpack how DES compresses it."""
    scale = PIXEL_ARCSEC / 3600
    h = fits.Header()
    cards = [
        ("EXTNAME", extension, "extension"), ("TILENAME", tile, "DES tile"), ("BAND", band, "band"), ("FILTER", f"{band} DECam SDSS", "filter"),
        ("CTYPE1", "RA---TAN", "gnomonic"), ("CTYPE2", "DEC--TAN", "gnomonic"), ("CUNIT1", "deg", ""), ("CUNIT2", "deg", ""),
        ("RADESYS", "ICRS", ""), ("EQUINOX", 2000.0, ""), ("CRVAL1", round(ra, 6), "[deg] tile centre"), ("CRVAL2", round(dec, 6), "[deg] tile centre"),
        ("CRPIX1", (width + 1) / 2, ""), ("CRPIX2", (height + 1) / 2, ""), ("CD1_1", -scale, ""), ("CD1_2", 0.0, ""), ("CD2_1", 0.0, ""), ("CD2_2", scale, ""),
        ("MAGZERO", ZERO_POINT, "[mag] zero point"), ("GAIN", 150.3 + BANDS.index(band), ""), ("SATURATE", 52000.0 + 1000 * BANDS.index(band), ""),
        ("UNITNAME", tile, ""), ("REQNUM", int(tag[1:-3]), ""), ("ATTNUM", int(tag[-2:]), ""), ("ORIGIN", "simulated", "synthetic, no survey data")]
    for key, value, comment in cards:
        h[key] = (value, comment)
    fz = [("FZALGOR", "PLIO_1")] if extension == "MSK" else [
        ("FZALGOR", "RICE_1"), ("FZQMETHD", "SUBTRACTIVE_DITHER_2"), ("FZQVALUE", 16), ("FZDTHRSD", "CHECKSUM")]
    for key, value in fz:
        h[key] = value
    return h


def file_name(tile, tag, band):
    return f"{tile}/{tile}_{tag}_{band}_nobkg.fits.fz"


def pack(plain: Path, packed: Path):
    """fpack, which obeys the FZ* keywords and writes DATASUM and CHECKSUM."""
    packed.parent.mkdir(parents=True, exist_ok=True)
    packed.unlink(missing_ok=True)
    subprocess.run(["fpack", "-O", packed, plain], check=True)
