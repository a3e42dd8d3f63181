"""Every name comes from the twin that it claims to come from."""

import os
import sys

import pytest
import stackless
from chanlab import hooks, links, runq, waitq

WISHED = hooks.parse(os.environ.get("CHANLAB_NATIVE", ""))
C_MODULE = "_chanlab"
HAVE_C = hooks._chanlab is not None
needs_c = pytest.mark.skipif(not HAVE_C, reason="the C module is not built")


def origin(hook, python):
    return C_MODULE if hook in WISHED else python


def test_native_is_what_the_environment_says():
    assert hooks.NATIVE == WISHED


def test_wait_queue():
    assert waitq.WaitQueue.__module__ == origin("waitq", "chanlab.waitq")


def test_run_queue():
    assert runq.RunQueue.__module__ == origin("runq", "chanlab.runq")


def test_link():
    both = {"waitq", "runq"} <= WISHED
    either = {"waitq", "runq"} & WISHED
    assert links.Link.__module__ == ("_chanlab" if both else "chanlab.links")
    assert any(base.__module__ == C_MODULE for base in links.Link.__mro__) == bool(either)


def test_objects_in_use_are_of_these_twins():
    from chanlab.sched import here

    ch = stackless.channel()
    assert type(ch._senders) is type(ch._receivers) is waitq.WaitQueue
    assert type(here.sched.runq) is runq.RunQueue
    assert issubclass(stackless.tasklet, links.Link)
    assert isinstance(ch.receiveCase(), links.Link)


def test_go_channels():
    import gochan

    c = gochan.chan(1)
    assert (type(c._buffer) is getattr(hooks._chanlab, "Buffer", None)) == bool(hooks.FUSED)
    assert (gochan.chan is getattr(hooks._chanlab, "chan", None)) == bool(hooks.FUSED)
    own = {name for name in ("receive", "receive_ok") if vars(gochan.chan)[name] is not vars(gochan.PyChan)[name]}
    assert own == ({"receive", "receive_ok"} if "channel" in hooks.FUSED else set())


def test_select():
    import select_proto
    from chanlab import rng

    fused = "select" in hooks.FUSED
    assert fused == ({"select", "channel", "sched", "waitq", "runq", "switch"} <= WISHED)
    for name in ("case", "Offers", "select", "pri_select"):
        assert (getattr(select_proto, name) is getattr(hooks._chanlab, name, None)) == fused, name
    assert (rng.Generator is getattr(hooks._chanlab, "Generator", None)) == fused
    assert type(stackless.channel().receiveCase()) is type(stackless.channel().sendCase(1)) is select_proto.case


def test_prototypes_stay_python():
    assert waitq.PyWaitQueue.__module__ == "chanlab.waitq"
    assert runq.PyRunQueue.__module__ == "chanlab.runq"
    assert links.PyLink.__module__ == "chanlab.links"


def test_prototype_does_not_need_the_c_module(script):
    out = script(
        """
        import sys
        sys.modules["_chanlab"] = None
        import stackless
        from chanlab import hooks
        assert not hooks.NATIVE
        print(stackless.implementation()["waitq"])
        ch = stackless.channel()
        stackless.tasklet(ch.send)("works")
        print(ch.receive())
        """,
        env={"CHANLAB_NATIVE": ""},
    ).ok()
    assert out.splitlines()[0].startswith("unavailable: the C module _chanlab cannot be imported")
    assert out.splitlines()[1] == "works"


def test_wish_without_the_c_module(script):
    """None of the C hooks can be had: one line that says so, and nothing runs."""
    out = script(
        """
        import os, sys
        sys.modules["_chanlab"] = None
        os.environ["CHANLAB_NATIVE"] = "waitq"
        try:
            import stackless
        except ValueError as error:
            print(type(error).__name__, error)
        """,
        env={"CHANLAB_NATIVE": ""},
    ).ok()
    assert out.startswith("HookError hook 'waitq' is unavailable: the C module _chanlab cannot be imported")
    assert len(out.splitlines()) == 1


def test_implementation():
    state = stackless.implementation()
    assert list(state) == list(hooks.HOOKS)
    for hook, runs in state.items():
        if hook in WISHED:
            variant = next((word.partition(":")[2] for word in WISHED if word.startswith("switch:")), "")
            assert runs == (f"c: {variant}" if hook == "switch" else "fused" if hook in hooks.FUSED else "c") or (
                hook in hooks.FUSES and hook not in hooks.FUSED and runs.startswith("py: ")
            )
        else:
            assert runs == "py" or runs.startswith("unavailable: "), (hook, runs)
    if HAVE_C:
        assert {hook for hook, runs in state.items() if not runs.startswith("unavailable")} == set(hooks._chanlab.hooks)


def test_implementation_is_a_copy():
    stackless.implementation().clear()
    assert stackless.implementation()


@pytest.mark.parametrize("wish", ["", "none", " ", ",", " none , ", "none,none"])
def test_nothing_wished(wish):
    assert hooks.parse(wish) == frozenset()


@needs_c
@pytest.mark.parametrize(
    ("wish", "on"),
    [
        ("waitq", {"waitq"}),
        ("runq", {"runq"}),
        ("waitq,runq", {"waitq", "runq"}),
        ("runq,waitq", {"waitq", "runq"}),
        (" runq , waitq ", {"waitq", "runq"}),
        ("waitq,waitq", {"waitq"}),
        ("waitq,none", set()),
        ("none,waitq", {"waitq"}),
        ("waitq,-waitq", set()),
        ("-waitq,waitq", {"waitq"}),
        ("-waitq", set()),
    ],
)
def test_read_from_left_to_right(wish, on):
    assert hooks.parse(wish) == on


@needs_c
def test_all_but_one():
    everything = hooks.parse("all")
    assert {word for word in everything if ":" not in word} == set(hooks._chanlab.hooks)
    best = [word for word in ("switch:private", "switch:greenlet") if hooks.unavailable(word) is None]
    assert {word for word in everything if ":" in word} == set(best[:1])
    assert hooks.parse("all,-runq") == everything - {"runq"}
    assert hooks.parse("-runq,all") == everything
    assert hooks.parse("waitq,all") == everything


@pytest.mark.parametrize("wish", ["wait", "WAITQ", "waitq;runq", "waitq runq", "--runq", "+runq", "none,nonsense", "-"])
def test_unknown(wish):
    with pytest.raises(hooks.HookError) as caught:
        hooks.parse(wish)
    text = str(caught.value)
    assert "\n" not in text
    assert "unknown hook" in text
    assert "waitq" in text
    assert "runq" in text


def test_hook_error_is_a_value_error():
    assert issubclass(hooks.HookError, ValueError)


@needs_c
def test_unavailable():
    missing = [hook for hook in hooks.HOOKS if hooks.unavailable(hook)]
    for hook in missing:
        with pytest.raises(hooks.HookError, match=f"hook '{hook}' is unavailable: not written in C yet"):
            hooks.parse(hook)


@needs_c
@pytest.mark.parametrize("wish", ["waitq:fast", "runq:", "waitq:greenlet"])
def test_variant_of_a_hook_without_variants(wish):
    with pytest.raises(hooks.HookError):
        hooks.parse(wish)


@pytest.mark.parametrize("wish", ["nonsense", "waitq:x", "arena,switch:nonsense"])
def test_import_with_a_bad_wish(script, wish):
    """Under plain python the import fails; the host has refused before the script starts."""
    ended = script("print('started')\nimport stackless\nprint('not reached')", env={"CHANLAB_NATIVE": wish})
    assert ended.returncode in (1, 2)
    assert "not reached" not in ended.stdout
    assert "hook" in ended.stderr.splitlines()[-1]


def test_children_inherit(script):
    out = script(
        """
        import subprocess, sys, stackless
        print(sorted(stackless.implementation().items()), flush=True)
        code = "import stackless; print(sorted(stackless.implementation().items()))"
        subprocess.run([sys.executable, "-c", code], check=True)
        """
    ).ok()
    mine, childs = out.splitlines()
    assert mine == childs


def test_table(script):
    out = script("from chanlab import hooks\nhooks.main()").ok()
    for hook, state in stackless.implementation().items():
        assert any(line.split()[:1] == [hook] and state in line for line in out.splitlines()), hook


@needs_c
def test_c_module_loads_twice_as_separate_modules():
    """Multi-phase: a second copy has a state of its own, and its queues do not take the first's members."""
    import importlib.util

    spec = importlib.util.find_spec("_chanlab")
    if spec.origin in (None, "built-in"):
        pytest.skip("built into the host: only one copy can be made there")
    old = sys.modules.pop("_chanlab")
    try:
        import _chanlab as second
    finally:
        sys.modules["_chanlab"] = old
    assert second is not old
    assert second.Link is not old.Link
    with pytest.raises(TypeError):
        second.WaitQueue().append(old.Link())
    q, member = second.WaitQueue(), second.Link()
    q.append(member)
    assert q.head is member
