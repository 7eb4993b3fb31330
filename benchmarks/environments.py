"""An environment of its own for each peer of a benchmark, made on first use, as some peers fight over versions.

    python_of("rensa", ["rensa==0.5.0"], cache) -> Path to that environment's Python

Never install a peer into the environment of seedbed.
"""

import hashlib
import subprocess
import sys
from pathlib import Path


def python_of(name: str, requirements: list[str], cache: Path, alone: tuple[str, ...] = ()) -> Path:
    """The interpreter of an environment that holds just these; other requirements make another environment.

    `alone` are installed without what they ask for, where that is gigabytes which the benchmark does not run."""
    digest = hashlib.sha256("\n".join([sys.version, *requirements, *alone]).encode()).hexdigest()[:8]
    folder = cache / f"{name}-{digest}"
    done = folder / "installed"
    if not done.exists():
        print(f"making an environment for {', '.join(requirements)} in {folder}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *requirements]
        subprocess.run(pip, check=True, stdout=sys.stderr)
        if alone:
            subprocess.run([*pip[:5], "--no-deps", *alone], check=True, stdout=sys.stderr)
        done.touch()
    return folder / "bin" / "python"
