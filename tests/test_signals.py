"""A request to stop becomes a flag, and everything is put back."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from gan_cli.signals import STOPPING, Interrupt

SIGNALS = [getattr(signal, name) for name in STOPPING if hasattr(signal, name)]


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Python's own handlers, whatever the shell that runs the tests ignores."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_each_signal_is_noted_and_its_handler_put_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Interrupt() as interrupt:
        assert interrupt.signum is None
        signal.raise_signal(number)
        assert interrupt.signum == number
    assert signal.getsignal(number) is before


def test_the_first_signal_counts() -> None:
    with Interrupt() as interrupt:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
    assert interrupt.signum == signal.SIGTERM


def test_a_second_ctrl_c_raises_at_once_and_handlers_are_put_back() -> None:
    with Interrupt() as interrupt:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert interrupt.signum == signal.SIGINT
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_was_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Interrupt() as interrupt:
        signal.raise_signal(signal.SIGHUP)
        assert interrupt.signum is None
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_it_does_nothing_outside_the_main_thread() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    seen: list[object] = []

    def work() -> None:
        with Interrupt() as interrupt:
            seen.append([signal.getsignal(number) for number in SIGNALS])
        seen.append(interrupt.signum)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before, None]
