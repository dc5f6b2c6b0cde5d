"""No looks for garbage while a model is made ready."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest

from pathsim.garbage import none_looked_for
from pathsim.model import load_model
from pathsim.solve import build_system


@pytest.fixture(autouse=True)
def collecting() -> Iterator[None]:
    gc.enable()
    yield
    gc.enable()


def test_collections_are_off_inside_and_on_again_behind() -> None:
    with none_looked_for():
        assert not gc.isenabled()
        with none_looked_for():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_they_stay_off_where_they_were_off() -> None:
    gc.disable()
    with none_looked_for():
        pass
    assert not gc.isenabled()


def test_they_are_on_again_after_an_error() -> None:
    @none_looked_for()
    def fail() -> None:
        raise ValueError("on the way")

    with pytest.raises(ValueError, match="on the way"):
        fail()
    assert gc.isenabled()


@pytest.mark.parametrize("first_ends_first", [True, False])
def test_two_threads_leave_them_on(first_ends_first: bool) -> None:
    inside, ends = [threading.Event(), threading.Event()], [threading.Event(), threading.Event()]

    def work(number: int) -> None:
        with none_looked_for():
            inside[number].set()
            ends[number].wait(10)

    threads = [threading.Thread(target=work, args=[number]) for number in (0, 1)]
    for thread, begun in zip(threads, inside, strict=True):
        thread.start()
        begun.wait(10)
    for number in (0, 1) if first_ends_first else (1, 0):
        ends[number].set()
        threads[number].join(10)
    assert gc.isenabled()


def test_equations_are_derived_without_a_look() -> None:
    looks: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        looks.append(info["generation"])

    model = load_model("pi3k_mapk")
    gc.collect()
    gc.callbacks.append(note)
    try:
        build_system(model)
    finally:
        gc.callbacks.remove(note)
    assert len(looks) < 5  # before and after; else 28
