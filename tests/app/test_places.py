"""Several folders are one index, and each of them comes and goes by itself."""

from pathlib import Path

from tests.harness import App, NewApp, eventually, names


def make_places(app: App) -> tuple[Path, Path, Path]:
    """Three folders with two photos each, beside the app's own."""
    folders = tuple(app.img.with_name(name) for name in ("one", "two", "three"))
    for folder in folders:
        app.img = folder
        app.add("cat.png", f"cat {folder.name}.png", alike=False)
        app.add("coffee.png", f"deep/{folder.name}.png", alike=False)
    one, two, three = folders
    return one, two, three


def photos_of(*places: str) -> list[str]:
    folders = {"one": "one", "my 2": "two", "three": "three"}
    return [
        photo
        for place in places
        for photo in (
            f"{place}/cat {folders[place]}.png",
            f"{place}/deep/{folders[place]}.png",
        )
    ]


def embedded(app: App) -> int:
    """How many vectors were computed so far, all in all."""
    code = (
        "import json, sqlite3; from image_search.settings import settings;"
        "file = settings.data_dir / 'vectors.sqlite';"
        "count = 'SELECT count(*) FROM vectors';"
        "print(json.dumps(sqlite3.connect(file).execute(count).fetchone()[0]))"
    )
    return int(app.python(code))


def use(app: App, **places: Path) -> App:
    """Start the app with these places; `_` stands for a space in a name."""
    parts = [
        f"{name.replace('_', ' ')}={path}" for name, path in places.items()
    ]
    app.env["IMAGE_DIR"] = ":".join(parts)
    return app.start()


def places_follow_their_photos(app: App) -> None:
    """What holds of several places, on any store."""
    one, two, three = make_places(app)
    use(app, one=one, my_2=two)
    app.finds(*photos_of("one", "my 2"))
    assert embedded(app) == 4
    told = {place["name"]: place for place in app.status()["places"]}
    assert {name: place["photos"] for name, place in told.items()} == {
        "one": 2,
        "my 2": 2,
    }

    # Each photo by the name of its place: its file, its copy, its folder.
    photo = "my 2/cat two.png"
    content = (two / "cat two.png").read_bytes()
    assert app.get(f"/img/{photo}").content == content
    assert app.get(f"/thumb/{photo}").status_code == 200
    assert app.get("/img/cat two.png").status_code == 404
    found = app.get("/search", q="cat", folder="my 2").json()["results"]
    assert sorted(names(found)) == photos_of("my 2")

    # A change in one is found, and so it is while the other is away.
    two.rename(two.with_name("away"))
    app.img = one
    app.add("rocket.jpg", "new.jpg")
    app.finds(*photos_of("one", "my 2"), "one/new.jpg")
    said = f"IMAGE_DIR=my 2={two} can't be opened"
    eventually(lambda: said in (app.status()["last_error"] or ""))
    two.with_name("away").rename(two)
    eventually(lambda: app.status()["last_error"] is None)
    (one / "new.jpg").unlink()
    app.finds(*photos_of("one", "my 2"))

    # A place that is named no more leaves with its photos alone.
    app.stop()
    computed = embedded(app)
    use(app, one=one, three=three)
    app.finds(*photos_of("one", "three"))
    app.stop()
    use(app, one=one, my_2=two, three=three)
    app.finds(*photos_of("one", "my 2", "three"))
    assert embedded(app) == computed + 2  # of the third
    app.stop()


def test_places_in_the_embedded_store(new_app: NewApp, tiny_clip: Path) -> None:
    """Places are found, followed, kept while they are away, and leave by themselves."""
    places_follow_their_photos(new_app(CLIP_MODEL=tiny_clip))


def test_places_on_a_server(
    new_app: NewApp,
    tiny_clip: Path,
    qdrant_settings: dict[str, str],
    postgres_url: str,
) -> None:
    """The same holds on a Qdrant server and a Postgres."""
    places_follow_their_photos(
        new_app(
            CLIP_MODEL=tiny_clip,
            COCOINDEX_DATABASE_URL=postgres_url,
            **qdrant_settings,
        )
    )


def test_the_command_line_knows_all_places(
    new_app: NewApp, tiny_clip: Path
) -> None:
    """`cocoindex update` brings in each; a place that is none is refused by its name."""
    app = new_app(CLIP_MODEL=tiny_clip)
    one, two, _ = make_places(app)
    app.env["IMAGE_DIR"] = f"{one}:{two}"
    run = app.cli("update", "main", "--setup", "--force")
    assert run.returncode == 0, run.stderr
    app.start().finds(
        "one/cat one.png",
        "one/deep/one.png",
        "two/cat two.png",
        "two/deep/two.png",
    )
    app.stop()
    app.env["IMAGE_DIR"] = f"{one}:no={two}/nowhere"
    said = app.refuses_to_start()
    assert f"IMAGE_DIR=no={two}/nowhere is no folder" in said
