"""Where the command `pipeline` begins: `pipeline ...`, or `python -m pipeline ...`.

Importing what the commands need takes half a second, in which Ctrl-C must leave no traceback either. So this file may
import nothing of that before it stands ready to catch it.
"""

from __future__ import annotations

import sys

INTERRUPTED = 130  # as a shell says of a command that Ctrl-C ended


def main() -> None:
    """Imports the commands and runs the one that was asked for."""
    try:
        from pipeline.cli import main as command

        command()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
