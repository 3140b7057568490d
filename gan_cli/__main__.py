"""`python -m gan_cli` is `gan`."""

import sys

if __name__ == "__main__":
    from gan_cli.cli import main

    sys.exit(main())
