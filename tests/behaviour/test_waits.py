"""Descriptors, OS threads' results and asyncio as cases of a select."""

import asyncio
import concurrent.futures
import os
import selectors
import socket
import threading

import pytest
import stackless
import waits
from chanlab import clock
from chanlab.sched import here
from gochan import after, chan, go
from select_proto import DEFAULT, TIMEOUT, select
from stackless import channel, run, schedule
from waits import in_thread, readable, result, writable


@pytest.fixture
def pair():
    a, b = socket.socketpair()
    yield a, b
    a.close()
    b.close()


def test_readable(pair):
    a, b = pair
    got = []
    go(lambda: got.append(readable(b).receive() is b and b.recv(10)))
    schedule()
    a.send(b"hi")
    run()
    assert got == [b"hi"]


def test_it_is_level_triggered(pair):
    a, b = pair
    c = readable(b)
    assert select([c.receiveCase()], default=True) is DEFAULT
    a.send(b"xy")
    for _ in range(3):
        assert select([c.receiveCase()], default=True).value is b
    b.recv(10)
    assert select([c.receiveCase()], default=True) is DEFAULT


def test_writable(pair):
    a, b = pair
    a.setblocking(False)
    c = writable(a)
    assert c.receive() is a
    with pytest.raises(BlockingIOError):
        while True:
            a.send(b"x" * 65536)
    assert select([c.receiveCase()], default=True) is DEFAULT
    log = []
    go(lambda: log.append(c.receive() is a))
    schedule()
    assert log == []
    while b.recv(1 << 20):
        if select([writable(a).receiveCase()], default=True) is not DEFAULT:
            break
    run()
    assert log == [True]


def test_descriptor_timer_and_channel_in_one_select(pair):
    a, b = pair
    c = chan()
    assert select([readable(b).receiveCase(), c.receiveCase(), after(0.001).receiveCase()]).index == 2
    assert select([readable(b).receiveCase(), c.receiveCase()], timeout=0.001) is TIMEOUT
    a.send(b"x")
    assert select([readable(b).receiveCase(), c.receiveCase()]).index == 0
    go(c.send, 1)
    assert select([readable(a).receiveCase(), c.receiveCase()]).index == 1
    run()


def test_several_wait_for_one_descriptor(pair):
    a, b = pair
    got = []
    c = readable(b)
    for ch in (c, c, readable(b), readable(b.fileno())):
        go(lambda ch=ch: got.append(ch.receive()))
    go(lambda: got.append(writable(b).receive()))
    schedule()
    a.send(b"x")
    run()
    assert got.count(b) == 4
    assert got.count(b.fileno()) == 1


def test_number_reused_after_close():
    for i in range(5):
        a, b = socket.socketpair()
        got = []
        go(lambda b=b, got=got: got.append(readable(b).receive() is b))
        schedule()
        a.send(b"x")
        run()
        assert got == [True], i
        a.close()
        b.close()


def test_closed_while_waited_for_and_reused():
    a, b = socket.socketpair()
    t = go(readable(b).receive)
    schedule()
    a.close()
    b.close()
    a, b = socket.socketpair()  # the same numbers, most likely
    got = []
    go(lambda: got.append(readable(b).receive() is b))
    schedule()
    a.send(b"x")
    while not got:
        stackless.sleep(0.001)
    t.kill()
    a.close()
    b.close()


@pytest.mark.parametrize("wrong, error", [(-1, (OSError, ValueError)), (10**6, OSError), ("x", AttributeError)])
def test_no_descriptor(wrong, error):
    with pytest.raises(error):
        readable(wrong)


def test_regular_files_are_always_ready(tmp_path):
    with open(tmp_path / "f", "w") as f:
        assert writable(f).receive() is f


def test_pipe_end():
    r, w = os.pipe()
    t = go(readable(r).receive)
    schedule()
    os.close(w)
    run()
    assert not t.alive
    os.close(r)


def test_kill_of_one_who_waits(pair):
    _, b = pair
    c = readable(b)
    t = go(c.receive)
    schedule()
    assert t.blocked
    t.kill()
    assert c.balance == 0
    run()


@pytest.mark.parametrize("make", [lambda: readable(0), lambda: in_thread(int), lambda: result(_done(1))])
def test_only_received_from(make):
    c = make()
    for wrong in (lambda: c.send(1), lambda: c.sendCase(1), c.close):
        with pytest.raises(TypeError, match="brings"):
            wrong()


def _done(value):
    future = concurrent.futures.Future()
    future.set_result(value)
    return future


def test_result_as_often_as_one_asks():
    c = result(_done("v"))
    assert [c.receive(), c.receive(), select([c.receiveCase()], default=True).value] == ["v"] * 3


def test_results_of_threads():
    assert in_thread(pow, 2, 10).receive() == 1024
    with pytest.raises(ZeroDivisionError):
        in_thread(lambda: 1 / 0).receive()
    with pytest.raises(ZeroDivisionError):
        select([in_thread(lambda: 1 / 0).receiveCase()])
    assert in_thread(threading.get_ident).receive() != threading.get_ident()


def test_all_who_wait_get_it():
    ready = threading.Event()
    c = in_thread(ready.wait)
    got = []
    for _ in range(3):
        go(lambda: got.append(c.receive()))
    schedule()
    ready.set()
    run()
    assert got == [True] * 3


def test_first_of_several_threads():
    stop = threading.Event()
    slow = [in_thread(stop.wait) for _ in range(3)]
    fast = in_thread(lambda: "fast")
    r = select([[s.receiveCase() for s in slow], fast.receiveCase()])
    assert r.value == "fast"
    stop.set()


def test_a_job_that_uses_channels():
    """Its thread has a scheduler of its own then, and may wake us."""
    c = channel()
    job = in_thread(lambda: c.send("from the pool"))
    assert c.receive() == "from the pool"
    assert job.receive() is None


def test_idle_pool_threads_do_not_hide_a_deadlock():
    assert in_thread(int).receive() == 0
    with pytest.raises(RuntimeError, match="cannot be blocked"):
        channel().receive()


def test_coroutines():
    async def double(x):
        await asyncio.sleep(0.001)
        return 2 * x

    async def fails():
        raise KeyError("coroutine")

    assert [result(double(i)).receive() for i in range(3)] == [0, 2, 4]
    with pytest.raises(KeyError):
        result(fails()).receive()
    both = [result(double(i)) for i in (1, 2)]
    assert [c.receive() for c in both] == [2, 4]
    with pytest.raises(RuntimeError, match="cannot be blocked"):
        channel().receive()


def test_asyncio_future_of_another_thread():
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        future = loop.create_future()
        c = result(future)
        loop.call_soon_threadsafe(loop.call_later, 0.002, future.set_result, "v")
        assert c.receive() == "v"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_cancelled():
    future = concurrent.futures.Future()
    c = result(future)
    t = go(lambda: c.receive())
    schedule()
    future.cancel()
    with pytest.raises(concurrent.futures.CancelledError):
        run()
    assert not t.alive


def test_no_future():
    with pytest.raises(TypeError, match="a future or a coroutine"):
        result(5)


def test_timeout_of_a_result():
    future = concurrent.futures.Future()
    assert select([result(future).receiveCase()], timeout=0.001) is TIMEOUT
    future.set_result(1)
    assert result(future).receive() == 1


def test_echo_server():
    """Many tasklets, one thread, sockets."""
    server = socket.create_server(("127.0.0.1", 0))
    server.setblocking(False)
    address = server.getsockname()
    got = []

    def serve(conn):
        with conn:
            while True:
                readable(conn).receive()
                data = conn.recv(100)
                if not data:
                    return
                conn.sendall(data.upper())

    def accept():
        for _ in range(20):
            readable(server).receive()
            go(serve, server.accept()[0])

    def client(i):
        with socket.create_connection(address) as s:
            s.sendall(f"hello {i}".encode())
            readable(s).receive()
            got.append(s.recv(100).decode())

    go(accept)
    for i in range(20):
        go(client, i)
    run()
    server.close()
    assert sorted(got) == sorted(f"HELLO {i}" for i in range(20))


def test_work_that_was_not_given_is_not_waited_for(monkeypatch):
    def submit(*_args):
        raise KeyboardInterrupt

    in_thread(int).receive()  # there is a pool
    monkeypatch.setattr(waits._pool(), "submit", submit)
    with pytest.raises(KeyboardInterrupt):
        in_thread(int)
    with pytest.raises(RuntimeError, match="Deadlock"):
        channel().receive()


def test_interpreter_without_daemon_threads(monkeypatch):
    """As some of CPython 3.12's are: each piece of work has a thread of its own, which ends with it."""
    real = threading.Thread

    def thread(*args, daemon=None, **kwargs):
        if daemon:
            raise RuntimeError("daemon threads are disabled in this interpreter")
        return real(*args, daemon=False, **kwargs)

    monkeypatch.setattr(threading, "Thread", thread)
    monkeypatch.setattr(waits, "_kept", {})
    assert [in_thread(pow, 2, n).receive() for n in range(3)] == [1, 2, 4]
    assert waits._pool().threads == []
    with pytest.raises(RuntimeError, match="cannot be blocked"):
        channel().receive()


def test_work_for_more_threads_than_there_may_be(monkeypatch):
    monkeypatch.setattr(waits, "_kept", {})
    monkeypatch.setattr(waits.Pool, "MOST", 2)
    results = [in_thread(pow, 2, n) for n in range(10)]
    assert [c.receive() for c in reversed(results)] == [2**n for n in reversed(range(10))]
    assert len(waits._pool().threads) == 2
    waits._pool().finish()


def test_program_ends_when_its_work_is_done(script):
    """Not before, and not later: though a Ctrl-C has struck while the first thread was being started."""
    ended = script(
        """
        import signal, sys, time
        setprofile = sys.setprofile
        import stackless
        from waits import in_thread

        def profiler(frame, event, arg):
            if event == "return" and frame.f_code.co_name == "start":
                setprofile(None)
                signal.raise_signal(signal.SIGINT)

        setprofile(profiler)
        try:
            in_thread(len, "first")
        except KeyboardInterrupt:
            print("interrupted")
        jobs = [in_thread(time.sleep, 0.001) for _ in range(100)]
        in_thread(print, "last")
        """
    )
    assert ended.ok() == "interrupted\nlast\n"


def test_sources_on_which_nobody_waits_any_more_are_forgotten():
    future = concurrent.futures.Future()
    for _ in range(300):
        assert select([result(future).receiveCase()], timeout=1e-9) is TIMEOUT
    assert len(clock.of(here.sched).promised) < 150


def test_a_descriptor_that_the_selector_knows_already():
    """As after an interrupt in the middle of watching it."""
    a, b = socket.socketpair()
    own = clock.of(here.sched)
    if own.selector is None:
        own._make_selector()
    own.selector.register(a.fileno(), selectors.EVENT_READ)
    b.send(b"x")
    assert readable(a).receive() is a
    a.recv(1)
    go(lambda: b.send(b"y"))
    assert readable(a).receive() is a
    a.close()
    b.close()


def test_first_use_imports_nothing(script):
    """A signal handler that interrupts an import, and uses the same function, would find a module half made."""
    source = """
        import socket, sys
        import stackless
        import select_proto
        from gochan import after
        from waits import in_thread, readable, result, writable

        async def coroutine(): pass

        a, b = socket.socketpair()
        b.send(b"x")
        before = set(sys.modules)
        in_thread(int).receive()
        result(coroutine()).receive()
        readable(a).receive(), writable(b).receive()
        after(0.001).receive()
        stackless.sleep(0.001)
        print(sorted(set(sys.modules) - before))
    """
    assert script(source).ok() == "[]\n"
