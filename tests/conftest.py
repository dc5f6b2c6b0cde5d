"""All tests share one cache of parsed models and machine code, apart from the user's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Processes started by tests inherit it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATHSIM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
