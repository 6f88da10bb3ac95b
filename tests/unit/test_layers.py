"""The rooms of image_search: each imports only from lower floors, and little else."""

import ast
import functools
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.harness import ROOT, environment

PACKAGE = ROOT / "image_search"
ROOMS = sorted(path.stem for path in PACKAGE.glob("[a-z]*.py"))
FLOORS = {
    "settings": 2,
    "bucket_addresses": 0,
    "bucket_errors": 1,
    "buckets": 3,
    "remote_files": 1,
    "bucket_kinds": 5,
    "drive": 4,
    "drive_api": 3,
    "drive_entries": 2,
    "drive_errors": 2,
    "bucket_files": 4,
    "served_photos": 3,
    "spans": 1,
    "stand_in": 5,
    "queue_events": 1,
    "bucket_listing": 5,
    "bucket_source": 7,
    "photo_buckets": 6,
    "place": 5,
    "places": 7,
    "plain_jpeg": 0,
    "jpeg_messages": 0,
    "jpeg_client": 1,
    "jpeg_codec": 2,
    "jpeg_server": 3,
    "jpeg_decoders": 4,
    "worker_process": 0,
    "staged_jobs": 1,
    "pipeline": 3,
    "devices": 3,
    "model_files": 3,
    "batch_sizes": 3,
    "device_batch": 4,
    "cpu_batch": 3,
    "towers": 4,
    "hardware": 0,
    "garbage": 0,
    "last_layer": 0,
    "reports": 0,
    "attention": 1,
    "text_encoder": 0,
    "grouped_writes": 0,
    "embedded_photo": 1,
    "packing": 1,
    "postgres_programs": 0,
    "pytorch": 0,
    "early_answers": 0,
    "pieces": 0,
    "programs": 0,
    "running_app": 4,
    "by_itself": 12,
    "ask_command": 13,
    "spreadsheet": 1,
    "hits_table": 7,
    "export": 9,
    "mcp_tools": 12,
    "mcp_endpoint": 13,
    "root_path": 0,
    "stopping": 0,
    "points": 1,
    "name_words": 0,
    "asked_words": 1,
    "fusion": 2,
    "matches": 2,
    "edge_queries": 6,
    "word_search": 7,
    "pulse": 0,
    "filters": 0,
    "files": 0,
    "guests": 0,
    "keys": 0,
    "forwarded": 0,
    "memory": 0,
    "boxes": 0,
    "cicp": 0,
    "quiet": 0,
    "orientation": 0,
    "png": 0,
    "reasons": 0,
    "samples": 0,
    "kinds": 0,
    "in_flight": 0,
    "dates": 0,
    "names": 1,
    "placeholder": 0,
    "folding": 2,
    "headers": 1,
    "metadata": 0,
    "bmp": 1,
    "raw": 1,
    "sequence": 1,
    "colour": 1,
    "streamed": 1,
    "pillow_photo": 1,
    "repair": 1,
    "decode": 2,
    "model_input": 2,
    "pixel_values": 3,
    "looks": 3,
    "photos": 3,
    "thumbnails": 3,
    "workers": 2,
    "postgres": 3,
    "attempts": 3,
    "key_file": 3,
    "connections": 3,
    "qdrant_errors": 3,
    "exclusions": 3,
    "clip": 4,
    "cache": 4,
    "batches": 3,
    "question": 4,
    "state": 4,
    "starting_servers": 3,
    "addresses": 1,
    "patterns": 0,
    "flows": 6,
    "edge_target": 1,
    "progress": 5,
    "place_points": 6,
    "place_files": 7,
    "former_places": 6,
    "engines": 9,
    "monitoring": 11,
    "photo_files": 4,
    "proxies": 4,
    "access": 5,
    "listing": 4,
    "sources": 5,
    "embedding": 5,
    "record": 5,
    "store": 5,
    "web": 8,
    "download": 5,
    "adoption": 5,
    "archive": 8,
    "edge_store": 7,
    "server_queries": 6,
    "server_clients": 6,
    "server_layout": 6,
    "qdrant_nodes": 4,
    "floor": 6,
    "server_store": 7,
    "remarks": 7,
    "hits": 6,
    "around": 6,
    "status": 6,
    "absence": 6,
    "passes": 6,
    "search": 8,
    "upkeep": 8,
    "index": 7,
    "turns": 9,
    "skipped": 11,
    "photo_record": 9,
    "folders": 9,
    "months": 9,
    "duplicates": 9,
    "likes": 6,
    "near_equals": 6,
    "model_config": 0,
    "examples": 10,
    "refusals": 11,
    "command": 14,
    "follow": 8,
    "own_places": 3,
    "place_locks": 5,
    "readiness": 7,
    "replica": 8,
    "replica_files": 8,
    "replica_store": 8,
    "roles": 10,
    "vector_space": 5,
    "text_lines": 0,
    "text_model": 0,
    "text_pieces": 1,
    "text_status": 1,
    "status_fields": 2,
    "store_errors": 0,
    "search_errors": 0,
    "text_reader": 4,
    "text_worker": 5,
    "text": 8,
}
HEAVY = {
    "cocoindex",
    "fastapi",
    "pydantic",
    "qdrant_client",
    "qdrant_edge",
    "torch",
}
# What reads words on photos: only its worker loads it.
READING = {"cv2", "onnxruntime", "rapidocr"}
# What a room must not load, when it is the first and only one of a process.
WITHOUT = {
    "patterns": HEAVY - {"pydantic"} | {"numpy", "PIL"},
    "addresses": HEAVY | {"numpy", "PIL", "click", "dotenv", "obstore"},
    "bucket_addresses": HEAVY | {"numpy", "PIL", "click", "dotenv", "obstore"},
    "bucket_errors": HEAVY | {"numpy", "PIL", "click", "dotenv", "obstore"},
    "buckets": HEAVY | {"numpy", "PIL", "click", "dotenv", "boto3"},
    "remote_files": HEAVY | {"numpy", "PIL", "click", "dotenv", "obstore"},
    "bucket_kinds": HEAVY | {"numpy", "PIL", "dotenv", "boto3", "google"},
    "drive": HEAVY | {"numpy", "PIL", "dotenv", "obstore"},
    "drive_api": HEAVY | {"numpy", "PIL", "dotenv", "obstore"},
    "drive_entries": HEAVY | {"numpy", "PIL", "click", "dotenv", "obstore"},
    "drive_errors": HEAVY | {"numpy", "PIL", "click", "dotenv", "obstore"},
    "bucket_files": {"cocoindex", "qdrant_client", "qdrant_edge", "torch"},
    "served_photos": HEAVY - {"pydantic"} | {"numpy", "PIL", "obstore"},
    "spans": HEAVY | {"numpy", "PIL", "click", "dotenv", "obstore"},
    "grouped_writes": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "embedded_photo": HEAVY | {"PIL", "click", "dotenv"},
    "edge_target": {"fastapi", "qdrant_client", "qdrant_edge", "torch"},
    "engines": {"fastapi", "qdrant_client", "qdrant_edge", "torch"},
    "former_places": {"fastapi", "qdrant_client", "qdrant_edge", "torch"},
    "monitoring": {"qdrant_client", "qdrant_edge", "torch"},
    "place_files": {"cocoindex", "qdrant_client", "qdrant_edge", "torch"},
    "place_points": {"fastapi", "qdrant_client", "qdrant_edge", "torch"},
    "progress": HEAVY - {"pydantic"} | {"PIL"},
    "settings": HEAVY - {"pydantic"} | {"numpy", "PIL"},
    "photos": HEAVY | {"pyvips", "rawpy"},
    "bmp": HEAVY | {"click", "dotenv"},
    "boxes": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "cicp": HEAVY | {"click", "dotenv"},
    "model_input": HEAVY | {"click", "dotenv"},
    "pixel_values": HEAVY | {"click", "dotenv"},
    "decode": HEAVY | {"click", "dotenv", "pyvips", "rawpy"},
    "plain_jpeg": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "jpeg_messages": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "jpeg_client": HEAVY | {"click", "dotenv", "nvidia"},
    "jpeg_codec": HEAVY | {"click", "dotenv", "nvidia"},
    "jpeg_server": HEAVY | {"click", "dotenv", "nvidia"},
    "jpeg_decoders": HEAVY - {"pydantic"} | {"nvidia"},
    "looks": HEAVY | {"pyvips", "rawpy"},
    "orientation": HEAVY | {"click", "dotenv"},
    "png": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "quiet": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "raw": HEAVY | {"click", "dotenv", "rawpy"},
    "reasons": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "repair": HEAVY | {"click", "dotenv"},
    "samples": HEAVY | {"click", "dotenv"},
    "pillow_photo": HEAVY | {"click", "dotenv"},
    "sequence": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "streamed": HEAVY | {"click", "dotenv", "pyvips"},
    "command": HEAVY | {"numpy", "PIL", "dotenv"},
    "programs": HEAVY | {"numpy", "PIL", "dotenv"},
    "running_app": HEAVY - {"pydantic"} | {"numpy", "PIL"},
    "by_itself": {"qdrant_client", "qdrant_edge", "torch"},
    "ask_command": HEAVY | {"numpy", "PIL", "dotenv"},
    "pieces": HEAVY | {"numpy", "PIL", "click", "dotenv", "mcp"},
    "spreadsheet": HEAVY - {"fastapi", "pydantic"} | {"numpy", "PIL"},
    "hits_table": {"qdrant_client", "qdrant_edge", "torch"},
    "export": {"qdrant_client", "qdrant_edge", "torch"},
    "mcp_tools": {"qdrant_client", "qdrant_edge", "torch", "mcp"},
    "mcp_endpoint": {"qdrant_client", "qdrant_edge", "torch", "mcp"},
    "early_answers": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "root_path": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "pytorch": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "workers": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "staged_jobs": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "pipeline": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "devices": HEAVY - {"pydantic"} | {"numpy", "PIL"},
    "model_files": HEAVY - {"pydantic"} | {"numpy", "PIL"},
    "batch_sizes": HEAVY | {"click", "dotenv"},
    "cpu_batch": HEAVY | {"click", "dotenv"},
    "device_batch": HEAVY | {"click", "dotenv"},
    "towers": HEAVY - {"pydantic"},
    "worker_process": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "hardware": HEAVY | {"numpy", "PIL"},
    "garbage": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "last_layer": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "reports": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "attention": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "text_encoder": HEAVY | {"PIL", "click", "dotenv"},
    "packing": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "postgres_programs": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "postgres": HEAVY - {"pydantic"} | {"numpy", "PIL"},
    "stopping": HEAVY | {"numpy", "PIL", "click", "dotenv", "psutil"},
    "points": HEAVY - {"pydantic"} | {"numpy", "PIL"},
    "placeholder": HEAVY | {"click", "dotenv"},
    "folding": HEAVY - {"pydantic"} | {"click", "dotenv"},
    "batches": HEAVY | {"click", "dotenv"},
    "question": HEAVY - {"pydantic"} | {"numpy", "PIL"},
    "months": {"qdrant_client", "qdrant_edge", "torch"},
    "pulse": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "filters": HEAVY | {"numpy", "PIL"},
    "qdrant_errors": HEAVY - {"pydantic"} | {"numpy", "PIL"},
    "adoption": {"cocoindex", "fastapi", "qdrant_edge", "torch"},
    "thumbnails": HEAVY | {"PIL"},
    "files": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "guests": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "keys": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "forwarded": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "key_file": HEAVY - {"pydantic"} | {"numpy", "PIL"},
    "proxies": HEAVY - {"pydantic"} | {"numpy", "PIL"},
    "memory": HEAVY | {"numpy", "click", "dotenv"},
    "colour": HEAVY | {"click", "dotenv"},
    "dates": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "headers": HEAVY | {"click", "dotenv"},
    "metadata": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "attempts": HEAVY - {"pydantic"} | {"numpy", "PIL"},
    "connections": HEAVY - {"pydantic"} | {"numpy", "PIL"},
    "archive": {"cocoindex", "qdrant_client", "qdrant_edge", "torch"},
    "photo_files": {"cocoindex", "qdrant_client", "qdrant_edge", "torch"},
    "turns": {"fastapi", "qdrant_client", "qdrant_edge", "torch"},
    "access": HEAVY - {"pydantic"},
    "clip": HEAVY - {"pydantic"},
    "download": HEAVY - {"pydantic"},
    "state": {"fastapi", "qdrant_client", "qdrant_edge", "torch"},
    "starting_servers": HEAVY - {"pydantic"} | {"numpy", "PIL"},
    "name_words": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "asked_words": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "fusion": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "matches": HEAVY - {"pydantic"} | {"numpy", "PIL"},
    "edge_queries": {"fastapi", "qdrant_client", "torch"},
    "word_search": {"fastapi", "qdrant_client", "qdrant_edge", "torch"},
    "names": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "server_queries": {"fastapi", "qdrant_edge", "torch"},
    "floor": {"fastapi", "qdrant_client", "qdrant_edge", "torch"},
    "remarks": {"fastapi", "qdrant_client", "qdrant_edge", "torch"},
    "upkeep": {"fastapi", "qdrant_client", "qdrant_edge", "torch"},
    "examples": {"qdrant_client", "qdrant_edge", "torch"},
    "duplicates": {"qdrant_client", "qdrant_edge", "torch"},
    "likes": {"fastapi", "qdrant_client", "qdrant_edge", "torch"},
    "near_equals": {"fastapi", "qdrant_client", "qdrant_edge", "torch"},
    "model_config": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "folders": {"qdrant_client", "qdrant_edge", "torch"},
    "refusals": {"qdrant_client", "qdrant_edge", "torch"},
    "kinds": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "in_flight": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "exclusions": HEAVY - {"pydantic"} | {"numpy", "PIL"},
    "listing": HEAVY - {"pydantic"} | {"numpy", "PIL"},
    "stand_in": HEAVY - {"pydantic"} | {"numpy", "PIL", "obstore"},
    "queue_events": HEAVY | {"numpy", "PIL", "obstore", "boto3"},
    "place": HEAVY - {"pydantic"} | {"numpy", "PIL", "obstore"},
    "places": HEAVY - {"pydantic"} | {"numpy", "PIL"},
    "bucket_listing": HEAVY - {"pydantic"} | {"numpy", "PIL"},
    "photo_buckets": HEAVY - {"pydantic"} | {"numpy", "PIL", "boto3"},
    "bucket_source": {"fastapi", "qdrant_client", "qdrant_edge", "torch"},
    "passes": HEAVY - {"pydantic"},
    "skipped": {"qdrant_client", "qdrant_edge", "torch"},
    "sources": HEAVY - {"pydantic"} | {"numpy", "PIL"},
    "flows": {"fastapi", "qdrant_client", "qdrant_edge", "torch"},
    "web": {"cocoindex", "qdrant_client", "qdrant_edge", "torch"},
    "embedding": {
        "cocoindex",
        "fastapi",
        "qdrant_client",
        "qdrant_edge",
        "torch",
    },
    "store": {"fastapi", "qdrant_client", "qdrant_edge", "torch"},
    "search": {"fastapi", "qdrant_client", "qdrant_edge", "torch"},
    "hits": {"fastapi", "qdrant_client", "qdrant_edge", "torch"},
    "around": {"fastapi", "qdrant_client", "qdrant_edge", "torch"},
    "photo_record": {"qdrant_client", "qdrant_edge", "torch"},
    "status": {"fastapi", "qdrant_client", "qdrant_edge", "torch"},
    "index": {"fastapi", "qdrant_client", "qdrant_edge", "torch"},
    "follow": {"fastapi", "qdrant_client", "qdrant_edge", "torch"},
    "absence": {"fastapi", "qdrant_client", "qdrant_edge", "torch"},
    "record": HEAVY - {"pydantic"},
    "cache": HEAVY - {"pydantic"},
    "edge_store": {"fastapi", "qdrant_client", "torch"},
    "server_store": {"fastapi", "qdrant_edge", "torch"},
    "server_clients": {"fastapi", "qdrant_edge", "torch"},
    "server_layout": {"fastapi", "qdrant_edge", "torch"},
    "qdrant_nodes": {"cocoindex", "fastapi", "qdrant_edge", "torch"},
    "own_places": HEAVY - {"pydantic"} | {"numpy", "PIL"},
    "place_locks": {"fastapi", "qdrant_client", "qdrant_edge", "torch"},
    "readiness": {"fastapi", "qdrant_client", "qdrant_edge", "torch"},
    "replica": {"fastapi", "qdrant_client", "qdrant_edge", "torch"},
    "replica_files": {"cocoindex", "qdrant_client", "qdrant_edge", "torch"},
    "replica_store": {"fastapi", "qdrant_edge", "torch"},
    "roles": {"fastapi", "qdrant_client", "qdrant_edge", "torch"},
    "vector_space": {"cocoindex", "fastapi", "qdrant_edge", "torch"},
    "text_lines": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "text_model": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "text_pieces": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "text_status": HEAVY - {"pydantic"} | {"numpy", "PIL", "click"},
    "status_fields": HEAVY - {"pydantic"} | {"numpy", "PIL", "click"},
    "search_errors": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "store_errors": HEAVY | {"numpy", "PIL", "click", "dotenv"},
    "text_reader": HEAVY | {"click", "dotenv"} | READING,
    "text_worker": HEAVY | {"click", "dotenv"} | READING,
    "text": {"qdrant_client", "qdrant_edge", "torch"} | READING,
}


def imported_rooms(room: str) -> set[str]:
    """The rooms that a room's code imports from, anywhere in it."""
    return rooms_among(imports_in(ast.walk(parse(room))))


def parse(room: str) -> ast.Module:
    return ast.parse((PACKAGE / f"{room}.py").read_text())


def imports_in(nodes: Iterable[ast.AST]) -> set[str]:
    """The modules that are imported, as far as they can be told from other names."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            if node.module == "image_search":
                found |= {f"image_search.{alias.name}" for alias in node.names}
    return found


def rooms_among(modules: Iterable[str]) -> set[str]:
    dotted = [module.split(".") for module in modules]
    return {
        parts[1]
        for parts in dotted
        if parts[0] == "image_search" and len(parts) > 1
    }


def at_its_import(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """What runs when a module is imported: not its functions, and nothing for types alone."""
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if (
            isinstance(node, ast.If)
            and ast.unparse(node.test) == "TYPE_CHECKING"
        ):
            continue
        yield node
        yield from at_its_import(ast.iter_child_nodes(node))


@functools.cache
def imported_with(room: str) -> frozenset[str]:
    """The libraries' modules that are imported with a room, by it and by those below."""
    modules = imports_in(at_its_import(parse(room).body))
    rooms = rooms_among(modules)
    own = {one for one in modules if one.partition(".")[0] != "image_search"}
    return frozenset(own.union(*map(imported_with, rooms)))


@functools.cache
def loaded_with(library: str) -> frozenset[str]:
    """The top-level modules of a process that has imported a library's module."""
    code = (
        f"import sys, json, {library};"
        "print(json.dumps([name.partition('.')[0] for name in sys.modules]))"
    )
    output = subprocess.check_output(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment(),
        text=True,
        timeout=60,
    )
    return frozenset(json.loads(output))


def test_each_room_is_on_the_map() -> None:
    """A new room gets a floor, and a line in the package's docstring."""
    assert sorted(FLOORS) == ROOMS
    assert set(WITHOUT) == set(ROOMS)
    map_of_rooms = ast.get_docstring(
        ast.parse((PACKAGE / "__init__.py").read_text())
    )
    assert map_of_rooms is not None
    drawn: dict[str, int] = {}
    floor = -1
    for line in map_of_rooms.splitlines():
        if found := re.match(r"    (?:floor (\d+) )? +([a-z_, ]+)$", line):
            floor = int(found[1] or floor)
            drawn |= dict.fromkeys(found[2].split(", "), floor)
    assert drawn == FLOORS


@pytest.mark.parametrize("room", ROOMS)
def test_imports_lead_downward(room: str) -> None:
    """A room imports from lower floors."""
    for other in imported_rooms(room):
        assert FLOORS[other] < FLOORS[room]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_loads_no_more_than_it_needs(room: str) -> None:
    """None imports a library that it does not need, nor one that brings it along."""
    libraries = imported_with(room) - sys.stdlib_module_names
    assert libraries.isdisjoint(WITHOUT[room])
    for library in libraries:
        assert loaded_with(library).isdisjoint(WITHOUT[room]), library


def lines_of_code(path: Path) -> list[str]:
    lines = path.read_text().splitlines()
    return [
        one for one in lines if one.strip() and not one.strip().startswith("#")
    ]


@pytest.mark.parametrize("room", ["main", *ROOMS])
def test_rooms_are_of_ordinary_size(room: str) -> None:
    """main.py has 450 lines at most, a room 300; a mean line under 45 characters."""
    path = ROOT / "main.py" if room == "main" else PACKAGE / f"{room}.py"
    most = 450 if room == "main" else 300
    assert len(path.read_text().splitlines()) <= most
    code = lines_of_code(path)
    assert sum(map(len, code)) / len(code) < 45
