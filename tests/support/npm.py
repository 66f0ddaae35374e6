"""Programs from the npm registry, in the versions that a package-lock.json names."""

import hashlib
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from .programs import require


def node_modules(folder: Path) -> Path:
    """The packages that the package-lock.json of a folder names, kept in the virtual environment."""
    require(shutil.which("npm"), "no Node.js: install Debian's nodejs and npm")
    files = [folder / name for name in (".npmrc", "package.json", "package-lock.json")]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]
    installed = Path(sys.prefix) / "npm" / digest
    if not installed.exists():
        installed.parent.mkdir(exist_ok=True)
        with TemporaryDirectory(dir=installed.parent) as new:
            for path in files:
                shutil.copy(path, new)
            subprocess.run(["npm", "ci", "--silent"], cwd=new, timeout=300, check=True)
            with suppress(OSError):  # Another worker of pytest-xdist has been faster.
                Path(new).rename(installed)
    return installed / "node_modules"
