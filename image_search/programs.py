"""Rooms that are programs of their own, run by the command."""

import subprocess
import sys

import click


def run_module(name: str, *arguments: str) -> int:
    """Run a module as a program; returns its exit code."""
    # -P: no module is taken from the present folder, which may be anybody's.
    python = sys.executable, "-P", "-m"
    return subprocess.run([*python, name, *arguments], check=False).returncode


def get_model(name: str) -> None:
    """Download the model, unless it is here, in a process that frees its memory."""
    needs_starter = 3  # as image_search.download has it
    code = run_module("image_search.download")
    if code == needs_starter:
        raise click.ClickException(
            f"The Hugging Face Hub can't be reached for {name}. Be online for the"
            " first start, or set CLIP_MODEL to a folder that holds a model:"
            " `image-search starter FOLDER` builds a small one."
        )
    if code:
        sys.exit(code)
