"""Work in a copy of the process. The tests run in a process of their own, which has no other threads."""

import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="no copy is made elsewhere")


def told(body: str) -> list[str]:
    """What a process prints that runs some lines."""
    script = "import os, signal, threading, time\nfrom indexer.building.second_process import in_second_process\nhere = os.getpid()\n"
    script += "def number(): return str(os.getpid() == here).encode()\n"
    script += "os.cpu_count = lambda: 2\n"
    done = subprocess.run(
        [sys.executable, "-c", script + textwrap.dedent(body)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.split()


def test_the_work_is_done_by_another_process() -> None:
    body = """
        with in_second_process(number) as result:
            print(result().decode())
        with in_second_process(lambda: b"x" * 300_000) as result:
            print(len(result()))
        with in_second_process(number, really=False) as result:
            print(result().decode())
    """
    assert told(body) == ["False", "300000", "True"]


def test_a_copy_that_ends_without_a_result_is_replaced_by_work_here() -> None:
    body = """
        def dies():
            if os.getpid() != here:
                os.kill(os.getpid(), signal.SIGKILL)
            return number()
        def fails():
            if os.getpid() != here:
                raise ValueError("not printed")
            return number()
        for work in (dies, fails):
            with in_second_process(work) as result:
                print(result().decode())
    """
    assert told(body) == ["True", "True"]


def test_a_result_that_nobody_asks_for_leaves_no_process_and_no_open_file() -> None:
    body = """
        before = os.listdir("/proc/self/fd")
        begun = time.monotonic()
        with in_second_process(lambda: time.sleep(50) or b"") as result:
            pass
        try:
            with in_second_process(lambda: time.sleep(50) or b"") as result:
                raise KeyError
        except KeyError:
            pass
        print(time.monotonic() - begun < 40, os.listdir("/proc/self/fd") == before)
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            print("none")
    """
    assert told(body) == ["True", "True", "none"]


def test_a_process_with_other_threads_does_the_work_itself() -> None:
    body = """
        stop = threading.Event()
        thread = threading.Thread(target=stop.wait)
        thread.start()
        with in_second_process(number) as result:
            print(result().decode())
        stop.set()
    """
    assert told(body) == ["True"]
