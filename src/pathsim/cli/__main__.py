"""``python -m pathsim.cli`` is ``pathsim``."""

from .app import main

if __name__ == "__main__":
    main()
