"""contextvars: a tasklet runs in the Context of its binder (Stackless 3.7.6), unless it is given another."""

import contextvars
import threading

import pytest
from stackless import channel, getcurrent, getmain, run, schedule, schedule_remove, tasklet

var = contextvars.ContextVar("var", default="nothing")


@pytest.fixture(autouse=True)
def clean():
    """Each test in a Context of its own."""
    getmain().set_context(contextvars.Context())


def own(task):
    return task.set_context(contextvars.copy_context())


def test_shared_with_the_binder():
    t = tasklet(var.set)("by the tasklet")
    assert t.context_id == getcurrent().context_id
    run()
    assert var.get() == "by the tasklet"


def test_the_binder_counts_not_who_starts_it():
    t = contextvars.copy_context().run(lambda: tasklet(var.set))
    assert t.context_id != getcurrent().context_id
    t("inner")
    run()
    assert var.get() == "nothing"
    assert t.context_run(var.get) == "inner"


def test_tasklets_of_a_tasklet_share_its_context():
    ids = []

    def outer():
        tasklet(lambda: ids.append(getcurrent().context_id))()
        ids.append(getcurrent().context_id)

    t = own(tasklet(outer))()
    run()
    assert ids == [t.context_id] * 2
    assert t.context_id != getcurrent().context_id


def test_contexts_of_their_own_stay_apart_across_switches():
    seen = []

    def body(value):
        var.set(value)
        schedule()
        seen.append(var.get())

    for value in "ab":
        own(tasklet(body))(value)
    run()
    assert seen == ["a", "b"]
    assert var.get() == "nothing"


def test_context_run_inside_a_tasklet_across_a_switch():
    seen = []

    def inner():
        var.set("inner")
        schedule()
        return var.get()

    def body():
        seen.append(contextvars.copy_context().run(inner))
        seen.append(var.get())

    tasklet(body)()
    tasklet(body)()
    run()
    assert seen == ["inner", "nothing"] * 2


@pytest.mark.parametrize("state", ["unbound", "bound", "scheduled", "paused", "blocked", "dead", "current"])
def test_set_context_and_context_run_in_every_state(state):
    ch, seen = channel(), []

    def body():
        if state == "paused":
            schedule_remove(None)
        if state == "blocked":
            ch.receive()
        seen.append(var.get())

    t = getcurrent() if state == "current" else tasklet() if state == "unbound" else tasklet(body)
    if state in ("paused", "blocked", "dead", "scheduled"):
        t()
    if state in ("paused", "blocked", "dead"):
        run()
    context = contextvars.copy_context()
    assert t.set_context(context) is t
    assert t.context_id == id(context)
    assert t.context_run(lambda a, b: (var.set(a), b)[1], "new", b=2) == 2
    assert context[var] == "new"
    assert var.get() == ("new" if state == "current" else "nothing")
    if state == "bound":
        t()
    if state == "paused":
        t.insert()
    if state == "blocked":
        ch.send(None)
    run()
    if state in ("bound", "scheduled", "paused", "blocked"):
        assert seen == ["new"]


def test_context_run_of_a_tasklet_that_is_inside_context_run():
    def body():
        context.run(schedule_remove, None)

    context = contextvars.copy_context()
    t = tasklet(body)()
    run()
    t.context_run(var.set, "seen by the tasklet")
    assert context[var] == "seen by the tasklet"
    with pytest.raises(RuntimeError, match="has been entered"):
        t.set_context(contextvars.Context())
    t.kill()


def test_context_run_raises_and_comes_back():
    t = own(tasklet(run))
    before = getcurrent().context_id
    with pytest.raises(ZeroDivisionError):
        t.context_run(lambda: 1 / 0)
    assert getcurrent().context_id == before


def test_context_run_that_switches():
    t = own(tasklet(run))
    tasklet(lambda: log.append(var.get()))()
    log = []

    def inside():
        var.set("inside")
        schedule()
        log.append(var.get())

    t.context_run(inside)
    assert log == ["nothing", "inside"]
    assert var.get() == "nothing"


def test_set_context_inside_context_run():
    def inside():
        with pytest.raises(RuntimeError, match="has been entered"):
            getcurrent().set_context(contextvars.Context())

    contextvars.copy_context().run(inside)


@pytest.mark.parametrize("wrong", [None, 1, {}, contextvars.Context])
def test_only_a_context_will_do(wrong):
    with pytest.raises(TypeError, match="Context"):
        tasklet().set_context(wrong)


def test_another_thread():
    ready, done = threading.Event(), threading.Event()
    made = []

    def thread():
        t = tasklet(schedule_remove)(None)
        made.extend([getcurrent(), t, tasklet(run)])
        ready.set()
        done.wait()
        t.remove()

    worker = threading.Thread(target=thread)
    worker.start()
    ready.wait()
    main, scheduled, bound = made
    try:
        for t in (main, scheduled):
            with pytest.raises(RuntimeError, match="different thread"):
                t.set_context(contextvars.Context())
        with pytest.raises(RuntimeError, match="another thread"):
            main.context_id  # noqa: B018
        context = contextvars.Context()
        assert bound.set_context(context).context_id == id(context)
    finally:
        done.set()
        worker.join()
