"""Writes fixtures/images.json: windows of images of bytes, cut out, turned over and normalized by torchvision in float64.

    python test/nn/make_images_fixture.py    # torch 2.13, torchvision 0.28

What is drawn of an image is told by Philox4x32-10 (Salmon et al. 2011) of (place, step, site 0, 20) under the seed; what is done with it is
torchvision's: pad, crop, hflip, vflip, center_crop, normalize. Images here are ours: channels last.
"""

import json
import pathlib

import numpy as np
import torch
import torchvision.transforms.functional as F

IMAGES, SEED, STEPS, PURPOSE = 6, 1234567890123, 2, 20
MASK = 2**32 - 1
random = np.random.default_rng(18)


def philox(counter, key):
    c, (low, high) = list(counter), key
    for _ in range(10):
        first, second = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(second >> 32) ^ c[1] ^ low, second & MASK, (first >> 32) ^ c[3] ^ high, first & MASK]
        low, high = (low + 0x9E3779B9) & MASK, (high + 0xBB67AE85) & MASK
    return c


def normalized(image, mean, std):
    return F.normalize(image.to(torch.float64) / 255, mean, std).movedim(0, -1)


def case(height, width, channels, crop=None, shift=(0, 0), flip=False, fill=0, mean=None, std=None):
    x = torch.from_numpy(random.integers(0, 256, (IMAGES, height, width, channels), np.uint8))
    rows, columns = crop or (height, width)
    means, deviations = mean or [0.0] * channels, std or [1.0] * channels
    training = []
    for step in range(1, STEPS + 1):
        for place in range(IMAGES):
            turns, down, right, _ = philox([place, step, 0, PURPOSE], [SEED & MASK, SEED >> 32])
            image = F.pad(x[place].movedim(-1, 0), [shift[1], shift[0]], fill=fill)
            top = down * (height - rows + 2 * shift[0] + 1) >> 32
            left = right * (width - columns + 2 * shift[1] + 1) >> 32
            image = F.crop(image, top, left, rows, columns)
            if flip in ("horizontal", "both") and turns >> 31:
                image = F.hflip(image)
            if flip in ("vertical", "both") and turns >> 30 & 1:
                image = F.vflip(image)
            training.append(normalized(image, means, deviations))
    middle = [normalized(F.center_crop(one.movedim(-1, 0), [rows, columns]), means, deviations) for one in x]
    options = {"height": height, "width": width, "channels": channels}
    augment = {"shift": shift, "flip": flip, "fill": fill, **({"crop": crop} if crop else {})}
    normalize = {**({"mean": mean} if mean else {}), **({"std": std} if std else {})}
    values = lambda images: [float(f"{value:.9g}") for value in torch.stack(images).flatten().tolist()]
    return {
        "options": {**options, "augment": augment, "normalize": normalize},
        "seen": [rows, columns, channels],
        "x": x.flatten().tolist(),
        "training": values(training),
        "inference": values(middle),
    }


cases = [
    case(5, 6, 1, shift=(2, 2), flip="horizontal", fill=7),
    case(7, 5, 3, crop=(4, 4), flip="both", mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
    case(6, 7, 3, crop=(3, 4), shift=(1, 3), flip="vertical", fill=255, mean=[0.5, 0.25, 0.125], std=[0.5, 0.3, 0.2]),
    case(4, 4, 2),
]
path = pathlib.Path(__file__).parent / "fixtures" / "images.json"
path.write_text(json.dumps({"seed": SEED, "steps": STEPS, "images": IMAGES, "cases": cases}, separators=(",", ":")) + "\n")
print(path.stat().st_size)
