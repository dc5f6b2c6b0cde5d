"""One thread of BLAS while pathsim works, whatever calls overlap, and as many as before afterwards."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from pathsim.linear_algebra import one_thread

_ = np.linalg.inv(np.eye(2))


def counts() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_overlapping_calls_limit_and_set_back() -> None:
    with threadpool_limits(2, user_api="blas"):
        before = counts()
        inside, leave = threading.Event(), threading.Event()

        def other() -> None:
            with one_thread():
                inside.set()
                leave.wait(5)

        thread = threading.Thread(target=other)
        with one_thread():
            thread.start()
            assert inside.wait(5)
            assert counts() == {1}
        assert counts() == {1}  # the other is still at it
        leave.set()
        thread.join()
        assert counts() == before
        with pytest.raises(KeyboardInterrupt), one_thread():
            raise KeyboardInterrupt
        assert counts() == before
