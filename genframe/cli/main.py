"""The console program: which commands there are, and how every failure becomes one sentence and an exit code.

``genframe --help`` has to be quick, so that the table below is all it reads: a command's module is imported only when
that command runs.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NoReturn, cast

import click

import genframe
from genframe.errors import GenframeError, nearest, quoted

#: Command -> where it is, and its line in the help.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "run": ("genframe.cli.run:run", "Train a recipe, draw pictures, leave a run directory"),
    "sample": ("genframe.cli.sample:sample", "Draw samples from a run, by class, seed and index"),
    "visualize": ("genframe.cli.visualize:visualize", "Draw a picture of a run with any visualizer"),
    "evaluate": ("genframe.cli.evaluate:evaluate", "Measure a run with any metric"),
    "reproduce": ("genframe.cli.reproduce:reproduce", "Reproduce a published table or claim, end to end"),
    "diff": ("genframe.cli.diff:diff", "Say where two runs part: settings, step, tensors"),
    "data": ("genframe.cli.data:data", "List datasets, look into one"),
    "plugins": ("genframe.cli.plugins:plugins", "List what is installed, show, check or write a part"),
    "kernels": ("genframe.cli.kernels:kernels", "Say which backend serves each layer, measure which is the fastest"),
    "doctor": ("genframe.cli.doctor:doctor", "Check torch, devices, Triton and every plugin"),
}

_DEFECT, _USAGE, _INTERRUPTED, _PIPE_CLOSED = 1, 2, 130, 141

#: Of a longer sentence the middle is left out: it quotes what somebody gave, and nobody reads a megabyte of that.
_LONGEST = 2000

_SMALLER = "something asked for is too large for this machine: choose smaller numbers"

#: How torch says that a tensor is too large, with the types of exceptions that defects have, too.
_TORCH_ON_SIZES = ("can't allocate memory", "Overflow when unpacking long", "Storage size calculation overflowed")


class _LazyGroup(click.Group):
    """A group that knows its commands by name and imports one when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        if cmd_name not in COMMANDS:
            ctx.fail(f"'{cmd_name}' is not a command; known are {quoted(COMMANDS)}.{nearest(cmd_name, COMMANDS)}")
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        return cast(click.Command, getattr(importlib.import_module(module), attribute))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(genframe.__version__, prog_name="genframe")
@click.option(
    "--debug", is_flag=True, expose_value=False, help="Show tracebacks (anywhere on the line; GENFRAME_DEBUG=1)"
)
def program() -> None:
    """Train generative image models from plugins, and look at what they learnt.

    \b
    genframe run --plugin cdcgan
    genframe sample runs/cdcgan-digits-0001 -n 64
    """


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Runs the command line and exits.

    Args:
        args: the words after ``genframe``; by default those of the process.
    """
    words = list(sys.argv[1:] if args is None else args) or ["--help"]
    debug = "--debug" in words or os.environ.get("GENFRAME_DEBUG", "0") not in ("", "0")
    try:
        code = _invoke([word for word in words if word != "--debug"])
        sys.stdout.flush()
    except (Exception, SystemExit) as error:  # of a plugin: commands themselves return
        if debug:
            traceback.print_exception(error)
        code = _explain(error)
    except KeyboardInterrupt:
        code = _tell("interrupted", _INTERRUPTED)
    sys.exit(code)


def _invoke(words: list[str]) -> int:
    try:
        with program.make_context("genframe", words) as context:
            program.invoke(context)
    except click.exceptions.Exit as ending:
        return ending.exit_code
    return 0


def _explain(error: Exception | SystemExit) -> int:
    if isinstance(error, GenframeError):
        if type(error) is GenframeError and error.__cause__ and _is_too_large(error.__cause__):
            return _tell_of_size(str(error))
        return _tell(str(error), error.exit_code)
    if isinstance(error, click.ClickException):
        return _tell(error.format_message() + _where_to_look(error), _USAGE)
    if isinstance(error, OSError) and error.errno in (errno.EPIPE, errno.EIO) and _stdout_is_closed():
        return _PIPE_CLOSED
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return _tell(f"no file or folder can have this name, it is too long: {error.filename}", _USAGE)
    if _is_too_large(error):
        return _tell_of_size(f"{type(error).__name__}: {error}")
    from genframe.registry.blame import plugin_at_work

    plugin = plugin_at_work(error)
    culprit = f"plugin {plugin} failed" if plugin else "a defect of genframe"
    return _tell(f"{culprit}: {type(error).__name__}: {error} (--debug shows the traceback)", _DEFECT)


def _is_too_large(error: BaseException) -> bool:
    """Whether memory, the machine's or a GPU's, or the range of numbers was exhausted. torch is not imported to ask."""
    exhausted = isinstance(error, (MemoryError, OverflowError)) or type(error).__name__ == "OutOfMemoryError"
    return exhausted or any(words in str(error) for words in _TORCH_ON_SIZES)


def _tell_of_size(sentence: str) -> int:
    """The sentence without the stack that torch appends."""
    return _tell(f"{sentence.partition('Exception raised from ')[0].strip()}; {_SMALLER}", _USAGE)


def _where_to_look(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f" See: {context.command_path} --help" if context else ""


def _stdout_is_closed() -> bool:
    """Whether the reader of our output has gone; if so, what is left in the buffer goes nowhere."""
    try:
        print(flush=True)  # noqa: T201 - an empty buffer tells nothing, a line does
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False


def _tell(sentence: str, code: int) -> int:
    """Prints one line of characters that move no cursor and change no colour."""
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in " ".join(sentence.split()))
    if len(line) > _LONGEST:
        line = f"{line[: _LONGEST // 2]} ... {line[-_LONGEST // 2 :]}"
    with suppress(OSError):  # nobody may be there to read it
        print(f"genframe: {line}", file=sys.stderr)  # noqa: T201
    return code
