"""``python -m pathsim`` is ``pathsim``."""

from .cli import main

if __name__ == "__main__":
    main()
