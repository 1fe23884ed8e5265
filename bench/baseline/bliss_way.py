"""The survey pass as BLISS does it, to compare with: a torch DataLoader whose workers hold whole tiles.

    /usr/bin/python3 bench/baseline/bliss_way.py TILES_FOLDER --workers 2

As in case_studies/galaxy_clustering/cached_datasets/inference.py of https://github.com/prob-ml/bliss: the items
are windows; a worker that is asked for one decodes the four bands of its tile with astropy, cuts the tile with
unfold(2560, 2480) and keeps all windows until it is asked for another tile. Batches go to the workers in turn, so
every worker decodes every tile. The main process runs the batches, of two windows, through the encoder: here
`cluster-small` written in torch, with random weights. Needs python3-torch and python3-astropy. Prints one JSON line: wall and CPU seconds of the whole
process tree, and its peak memory (sum of PSS, which counts shared pages once; and sum of RSS), from start to end.
"""

import argparse
import glob
import json
import os
import subprocess
import sys
import time

WINDOW, STEP, BATCH = 2560, 2480, 2
BANDS = "griz"
# As in src/encoders/families.ts: quantiles of images averaged over 4 × 4 pixels.
QUANTILES = [-5, -1.8, -1, -0.45, -0.1, 0.15, 0.55, 1, 1.8, 4, 60, 400, 2500, 10000]


def band_path(tile_folder, band):
    (path,) = glob.glob(os.path.join(tile_folder, f"*_{band}_nobkg.fits.fz"))
    return path


def work(folder, workers):
    """Runs in a process of its own, so that everything it starts can be watched and counted."""
    import torch
    from astropy.io import fits
    from torch import nn
    from torch.utils.data import DataLoader, Dataset

    folders = sorted(glob.glob(os.path.join(folder, "DES*")))
    with fits.open(band_path(folders[0], "g")) as file:
        height, width = file[1].shape
    per_tile = ((height - WINDOW) // STEP + 1) * ((width - WINDOW) // STEP + 1)

    class Windows(Dataset):
        """One item is one window (bands, 2560, 2560); windows of one tile follow each other."""

        held = None  # tile, its windows

        def __len__(self):
            return len(folders) * per_tile

        def __getitem__(self, index):
            tile, window = divmod(index, per_tile)
            if self.held is None or self.held[0] != tile:
                self.held = tile, self.cut(self.decode(folders[tile]))
            return self.held[1][:, window]

        def decode(self, tile_folder):
            bands = []
            for band in BANDS:
                with fits.open(band_path(tile_folder, band)) as file:
                    bands.append(torch.from_numpy(file[1].data))
            return torch.stack(bands)

        def cut(self, image):
            windows = image.unfold(1, WINDOW, STEP).unfold(2, WINDOW, STEP)
            return windows.reshape(len(BANDS), per_tile, WINDOW, WINDOW)

    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            quantiles = torch.tensor(QUANTILES, dtype=torch.float32)
            self.register_buffer("quantiles", quantiles.view(1, 1, -1, 1, 1))
            self.register_buffer("scale", 5 / quantiles.abs().clamp(min=1e-6).view(1, 1, -1, 1, 1))

            def block(channels_in, channels_out, kernel, stride=1):
                conv = nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2)
                return nn.Sequential(conv, nn.GroupNorm(channels_out // 4, channels_out), nn.SiLU())

            self.pool = nn.AvgPool2d(4)
            self.body = nn.Sequential(
                block(len(BANDS) * len(QUANTILES), 32, 5, 4), block(32, 64, 5, 4), block(64, 64, 3, 2), block(64, 64, 3),
                block(64, 64, 3, 2), block(64, 64, 3), nn.Conv2d(64, 1, 1))

        def forward(self, image):
            channels = torch.asinh((self.pool(image).unsqueeze(2) - self.quantiles) * self.scale)
            return self.body(channels.flatten(1, 2))

    torch.manual_seed(0)
    torch.set_num_threads(os.cpu_count())
    encoder = Encoder().eval()
    windows, encoder_seconds, checksum = 0, 0.0, 0.0
    with torch.inference_mode():
        for batch in DataLoader(Windows(), batch_size=BATCH, num_workers=workers):
            started = time.perf_counter()
            probabilities = torch.sigmoid(encoder(batch))
            encoder_seconds += time.perf_counter() - started
            checksum += float(probabilities.sum())
            windows += len(batch)
    print(json.dumps(dict(
        tiles=len(folders), windows=windows, encoder_s=round(encoder_seconds, 2), threads=torch.get_num_threads(), checksum=round(checksum, 3))))


def process_tree(root):
    """The ids of a process and of all that descend from it."""
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                waiting += map(int, open(f"/proc/{pid}/task/{task}/children").read().split())
        except OSError:
            pass  # it has ended meanwhile
    return found


def memory_of(pid):
    """PSS and RSS of one process in bytes; shared pages count in PSS only by their share."""
    try:
        fields = dict(line.split(":") for line in open(f"/proc/{pid}/smaps_rollup").read().splitlines()[1:])
        return [int(fields[key].split()[0]) * 1024 for key in ("Pss", "Rss")]
    except OSError:
        return [0, 0]


def watch(folder, workers):
    started = time.perf_counter()
    child = subprocess.Popen([sys.executable, __file__, folder, "--workers", str(workers), "--work"], stdout=subprocess.PIPE, text=True)
    peak_pss = peak_rss = 0
    while True:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            break
        pss, rss = map(sum, zip(*map(memory_of, process_tree(child.pid))))
        peak_pss, peak_rss = max(peak_pss, pss), max(peak_rss, rss)
        time.sleep(0.1)
    wall = time.perf_counter() - started
    if status:
        sys.exit(f"the work ended with status {status}")
    report = json.loads(child.stdout.read())
    print(json.dumps(dict(
        report, workers=workers, wall_s=round(wall, 2), cpu_s=round(usage.ru_utime + usage.ru_stime, 2),
        peak_pss_bytes=peak_pss, peak_rss_bytes=peak_rss)))


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("tiles", help="folder of tile folders")
    arguments.add_argument("--workers", type=int, default=2)
    arguments.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    options = arguments.parse_args()
    (work if options.work else watch)(options.tiles, options.workers)


if __name__ == "__main__":
    main()
