"""A broken plugin is named with its distribution, version and reason, and takes nothing else down."""

from __future__ import annotations

import json
import time
import tomllib

import pytest

from genframe.errors import PluginError
from genframe.registry import load_registry

GOOD = """
import genframe
from genframe.specs import NoiseSpec, ObjectiveSpec

@genframe.hookimpl
def genframe_objectives():
    yield ObjectiveSpec(name="sound", summary="Works", factory="nowhere:Sound")
"""

#: What is wrong -> the module, and words of the reason.
BROKEN = {
    "import-error": ("import a_module_that_nobody_has", "ModuleNotFoundError: No module named 'a_module_that"),
    "syntax-error": ("def genframe_noise_samplers(:", "SyntaxError: "),
    "exit-at-import": ("import sys\nsys.exit(3)", "SystemExit: 3"),
    "exit-without-code": ("raise SystemExit", "SystemExit"),
    "other-exception-at-import": ("class Cancelled(BaseException): pass\nraise Cancelled('by me')", "Cancelled: by me"),
    "missing-dependency": ("import numpy\nfrom a_package_nobody_has import fog", "No module named 'a_package_nobody"),
    "no-hook": ("def genframe_noise_samplers():\n    return []", "decorate its functions with @genframe.hookimpl"),
    "raising-hook": (
        f"{GOOD}\n@genframe.hookimpl\ndef genframe_noise_samplers():\n    raise RuntimeError('out of\\n luck')",
        "RuntimeError: out of luck",
    ),
    "hook-that-exits": (
        f"{GOOD}\n@genframe.hookimpl\ndef genframe_noise_samplers():\n    raise SystemExit('bye')",
        "SystemExit: bye",
    ),
    "raising-half-way": (
        f"{GOOD}\n@genframe.hookimpl\ndef genframe_noise_samplers():\n"
        "    yield NoiseSpec(name='half', summary='Never seen', factory='a:b')\n    raise KeyError('half')",
        "KeyError: 'half'",
    ),
    "misspelt-hook": (
        f"{GOOD}\n@genframe.hookimpl\ndef genframe_noise_sampler():\n    return []",
        "unknown hook 'genframe_noise_sampler'. Did you mean 'genframe_noise_samplers'",
    ),
    "hook-with-arguments": (
        f"{GOOD}\n@genframe.hookimpl\ndef genframe_noise_samplers(config):\n    return []",
        "PluginValidationError",
    ),
    "not-a-spec": (
        f"{GOOD}\n@genframe.hookimpl\ndef genframe_noise_samplers():\n    return ['fog']",
        "its genframe_noise_samplers returned 'fog', and each item is to be of genframe.specs.NoiseSpec",
    ),
    "spec-of-another-kind": (
        f"{GOOD}\n@genframe.hookimpl\ndef genframe_noise_samplers():\n    return genframe_objectives()",
        "returned ObjectiveSpec 'sound', and each item is to be of genframe.specs.NoiseSpec",
    ),
    "one-spec-returned": (
        f"{GOOD}\n@genframe.hookimpl\ndef genframe_noise_samplers():\n"
        "    return NoiseSpec(name='fog', summary='Alone', factory='a:b')",
        "its genframe_noise_samplers returned one NoiseSpec: yield it, or return a list",
    ),
    "nothing-returned": (
        f"{GOOD}\n@genframe.hookimpl\ndef genframe_noise_samplers():\n    pass",
        "TypeError: 'NoneType' object is not iterable",
    ),
    "invalid-spec": (
        f"{GOOD}\n@genframe.hookimpl\ndef genframe_noise_samplers():\n"
        "    yield NoiseSpec(name='Bad Name', summary='', factory='a:b')",
        "ValueError: the name of noise 'Bad Name' is not of lower case letters",
    ),
    "version-in-words": (
        f"{GOOD}\n@genframe.hookimpl\ndef genframe_noise_samplers():\n"
        "    yield NoiseSpec(name='worded', summary='Says', factory='a:b', api='2')",
        "ValueError: the api of noise 'worded' is a version from 1 on",
    ),
}

#: Those whose other hook works.
HALF_BROKEN = {
    "raising-hook",
    "hook-that-exits",
    "one-spec-returned",
    "raising-half-way",
    "not-a-spec",
    "spec-of-another-kind",
    "nothing-returned",
    "invalid-spec",
    "version-in-words",
}

TOO_NEW = f"""{GOOD}
@genframe.hookimpl
def genframe_noise_samplers():
    yield NoiseSpec(name="tomorrow", summary="From the future", factory="nowhere:Tomorrow", api=2)
    yield NoiseSpec(name="today", summary="From today", factory="nowhere:Today")
"""


@pytest.fixture(params=BROKEN)
def broken(request, make_distribution):
    """The name of a broken plugin and words of the reason."""
    source, reason = BROKEN[request.param]
    make_distribution("genframe-bad", {request.param: source}, version="2.7")
    return request.param, reason


def test_a_broken_plugin_is_recorded_with_distribution_version_and_reason(broken):
    name, reason = broken
    (record,) = load_registry().broken
    assert (record.plugin.name, record.plugin.distribution, record.plugin.version) == (name, "genframe-bad", "2.7")
    assert reason in record.reason
    assert "\n" not in record.reason


def test_the_other_plugins_go_on(broken):
    registry = load_registry()
    assert registry.find("noise", "uniform").plugin.distribution == "genframe"


def test_hooks_that_work_still_count_and_no_hook_counts_by_half(broken):
    name, _ = broken
    registry = load_registry()
    assert ("sound" in [each.spec.name for each in registry.all("objective")]) == (name in HALF_BROKEN)
    assert {each.plugin.distribution for each in registry.all("noise")} == {"genframe"}


def test_asking_for_a_broken_plugin_by_name_says_why_it_is_broken(broken):
    name, reason = broken
    for asked in (name, f"genframe-bad/{name}", f"Genframe_Bad/{name}"):
        with pytest.raises(PluginError) as caught:
            load_registry().find("noise", asked)
        assert f"'{name}' (genframe-bad 2.7) is broken: " in str(caught.value)
        assert reason in str(caught.value)


def test_asking_for_something_unknown_says_which_plugins_did_not_load(broken):
    name, reason = broken
    with pytest.raises(PluginError, match=r"no noise is called 'unifrom'.*Did you mean 'uniform'") as caught:
        load_registry().find("noise", "unifrom")
    assert f"did not load: '{name}' (genframe-bad 2.7): " in str(caught.value)
    assert reason in str(caught.value)


def test_strict_plugins_make_it_fatal_whatever_is_asked_for(broken, monkeypatch):
    name, _ = broken
    monkeypatch.setenv("GENFRAME_STRICT_PLUGINS", "1")
    with pytest.raises(PluginError, match=rf"'{name}' \(genframe-bad 2.7\) is broken.*GENFRAME_STRICT_PLUGINS"):
        load_registry()


@pytest.mark.parametrize("switch", ["{}", "genframe-bad/{}", "other, {}"])
def test_switched_off_it_is_not_even_imported(broken, switch, monkeypatch):
    name, _ = broken
    monkeypatch.setenv("GENFRAME_STRICT_PLUGINS", "1")
    monkeypatch.setenv("GENFRAME_DISABLED_PLUGINS", switch.format(name))
    registry = load_registry()
    assert not registry.broken
    assert [plugin.name for plugin in registry.disabled] == [name]


def test_a_keyboard_interrupt_at_import_is_the_users_and_passes(make_distribution):
    make_distribution("genframe-slow", {"slow": "raise KeyboardInterrupt"})
    with pytest.raises(KeyboardInterrupt):
        load_registry()


def test_the_error_keeps_its_cause_for_the_traceback(make_distribution):
    make_distribution("genframe-bad", {"bad": "1 / 0"})
    with pytest.raises(PluginError) as caught:
        load_registry().find("noise", "bad")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_spec_for_a_newer_genframe_is_refused_only_when_asked_for(make_distribution):
    make_distribution("genframe-future", {"future": TOO_NEW}, version="9.0")
    registry = load_registry()
    assert registry.find("noise", "today").plugin.name == "future"
    assert registry.find("objective", "sound").plugin.name == "future"
    with pytest.raises(PluginError, match=r"\(genframe-future 9.0\).*version 2 of the contracts.*genframe .* speaks 1"):
        registry.find("noise", "tomorrow")
    assert "tomorrow" not in [each.spec.name for each in registry.all()]
    assert [each.plugin.name for each in registry.broken] == ["future"]


def test_a_spec_that_is_too_new_does_not_make_a_name_ambiguous(make_distribution):
    make_distribution("genframe-future", {"future": TOO_NEW.replace("tomorrow", "uniform")})
    registry = load_registry()
    assert registry.find("noise", "uniform").plugin.distribution == "genframe"
    with pytest.raises(PluginError, match="version 2"):
        registry.find("noise", "genframe-future/uniform")


def test_what_a_plugin_prints_at_import_stays_out_of_stdout(make_distribution, capsys):
    make_distribution("genframe-chatty", {"chatty": f"print('hello from chatty')\n{GOOD}"})
    registry = load_registry()
    captured = capsys.readouterr()
    assert registry.find("objective", "sound").plugin.name == "chatty"
    assert captured.out == ""
    assert "hello from chatty" in captured.err


def test_a_hook_of_a_later_genframe_may_be_marked_optional(make_distribution):
    hook = "@genframe.hookimpl(optionalhook=True)\ndef genframe_holograms():\n    return []"
    make_distribution("genframe-eager", {"eager": f"{GOOD}\n{hook}"})
    registry = load_registry()
    assert not registry.broken
    assert registry.find("objective", "sound").plugin.name == "eager"


#: Plugins that work in themselves, and what they may not disturb.
SOUND_BUT_RUDE = {
    "chatty": f"print('hello from chatty')\n{GOOD}",
    "slow": f"import time\ntime.sleep(1.5)\n{GOOD}",
    "namesake": GOOD.replace("sound", "non-saturating"),
}


@pytest.mark.parametrize("name", [*BROKEN, "future", *SOUND_BUT_RUDE])
def test_with_any_such_plugin_the_program_works_and_names_it(name, make_distribution, cli):
    source = SOUND_BUT_RUDE[name] if name in SOUND_BUT_RUDE else TOO_NEW if name == "future" else BROKEN[name][0]
    make_distribution("genframe-bad", {name: source}, version="2.7")
    began = time.monotonic()
    assert cli("--help").code == 0
    rows = [line.split()[:3] for line in cli("plugins", "list").out.splitlines()]
    assert [name, "genframe-bad", "2.7"] in rows
    assert time.monotonic() - began < 1.0  # neither imports it
    specs = json.loads(cli("plugins", "list", "--specs", "--json").out)
    is_broken = name not in SOUND_BUT_RUDE
    assert [each["plugin"] for each in specs["broken"]] == [name] * is_broken
    if name == "namesake":
        result = cli("run", "--plugin", "cdcgan", "--dry-run", "--objective", "non-saturating")
        assert result.code == 4
        assert "write 'genframe-bad/non-saturating' or 'genframe/non-saturating'" in result.err
    result = cli("run", "--plugin", "cdcgan", "--dry-run")
    assert result.code == 0, result.err
    assert tomllib.loads(result.out)["recipe"] == "cdcgan"
    result = cli("doctor")
    assert result.code == (4 if is_broken else 0)
    assert any(line.split()[0] == name and "genframe-bad 2.7" in line for line in result.out.splitlines() if line)


def test_a_torn_installation_without_metadata_disturbs_no_other(make_distribution, cli):
    site = make_distribution("genframe-torn", {"torn": GOOD})
    (site / "genframe_torn-1.0.dist-info" / "METADATA").unlink()
    assert cli("plugins", "list").code == 0
    registry = load_registry()
    assert registry.find("objective", "sound").plugin.distribution == "unknown"
    assert registry.find("noise", "uniform").plugin.distribution == "genframe"
