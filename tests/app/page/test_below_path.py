"""The app below a path of its host, behind Caddy and nginx as examples/ sets them up."""

import base64
import json
import os
import re
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.app.page.conftest import is_broken
from tests.harness import PHOTOS, ROOT, SCRATCH, App, eventually, free_port
from tests.page import expect_results, photos, search

SECRET = "open sesame"
ODD = "100% of ü #1?.png"
EXAMPLES = ROOT / "examples"
SBIN = f"{os.environ['PATH']}{os.pathsep}/usr/sbin"
MEGABYTE = 2**20


class Site(NamedTuple):
    """The app as a proxy serves it by TLS."""

    url: str
    authority: Path  # the certificate that vouches for its own


@pytest.fixture(autouse=True)
def tidy() -> None:
    """The app at a host's root, which other files share, is not needed here."""


@pytest.fixture(scope="module")
def served() -> Iterator[App]:
    """An app with a path and a password, without a proxy."""
    folder = Path(tempfile.mkdtemp(dir=SCRATCH))
    settings = {"ROOT_PATH": "/photos/", "PASSWORD": SECRET}
    app = App(folder, ("cat.png", "coffee.png"), settings)
    app.http.auth = httpx.BasicAuth("anyone", SECRET)
    app.add("cat.png", ODD)
    app.start()
    app.finds("cat.png", "coffee.png", ODD)
    yield app
    app.stop()
    app.clear_away()


def run(
    program: str, *arguments: str | Path, **env: str
) -> "subprocess.Popen[bytes]":
    path = shutil.which(program, path=SBIN)
    assert path, f"{program} is not installed: `make system` does it"
    return subprocess.Popen([path, *arguments], env=os.environ | env)


@pytest.fixture(scope="module")
def ports() -> dict[str, int]:
    return {
        name: free_port()
        for name in ("caddy", "nginx", "redirect", "strips", "keeps")
    }


@pytest.fixture(scope="module")
def caddy(served: App, ports: dict[str, int]) -> Iterator[Site]:
    """examples/Caddyfile; beside it two proxies of plain HTTP that know the password."""
    folder = Path(tempfile.mkdtemp(dir=SCRATCH))
    known = base64.b64encode(f":{SECRET}".encode()).decode()
    proxy = (
        f"reverse_proxy 127.0.0.1:{served.port} {{\n"
        f'header_up Authorization "Basic {known}"\n}}'
    )
    config = folder / "Caddyfile"
    config.write_text(
        f"{{\nadmin off\nhttp_port {ports['redirect']}\nskip_install_trust\n}}\n"
        f"import {EXAMPLES / 'Caddyfile'}\n"
        f"http://localhost:{ports['strips']} {{\nhandle_path /photos/* {{\n{proxy}\n}}\n}}\n"
        f"http://localhost:{ports['keeps']} {{\n{proxy}\n}}\n"
    )
    site = f"localhost:{ports['caddy']}"
    process = run(
        "caddy", "run", "--adapter=caddyfile", "--config", config,
        SITE=site, APP=f"127.0.0.1:{served.port}", HOME=str(folder),
        XDG_DATA_HOME=str(folder), XDG_CONFIG_HOME=str(folder),
    )  # fmt: skip
    yield Site(
        f"https://{site}", folder / "caddy/pki/authorities/local/root.crt"
    )
    process.terminate()
    process.wait(10)


@pytest.fixture(scope="module")
def nginx(served: App, ports: dict[str, int]) -> Iterator[Site]:
    """examples/nginx.conf, with a port and a certificate of this test's."""
    folder = Path(tempfile.mkdtemp(dir=SCRATCH))
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days=2",
         "-subj=/CN=photos.example.org", "-addext=subjectAltName=IP:127.0.0.1",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    example = (EXAMPLES / "nginx.conf").read_text()
    for here, there in (
        ("listen 443 ", f"listen 127.0.0.1:{ports['nginx']} "),
        ("/etc/ssl/certs/photos.example.org.pem", str(certificate)),
        ("/etc/ssl/private/photos.example.org.key", str(key)),
        ("127.0.0.1:8000", f"127.0.0.1:{served.port}"),
    ):
        assert example.count(here) == 1
        example = example.replace(here, there)
    (folder / "example.conf").write_text(example)
    kept = "".join(
        f"{name}_temp_path {folder / name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off;\nuser {'root' if os.geteuid() == 0 else 'nobody'};\n"
        f"pid {folder / 'pid'};\nerror_log {folder / 'log'};\nevents {{}}\n"
        f"http {{\naccess_log off;\n{kept}include {folder / 'example.conf'};\n}}\n"
    )
    process = run("nginx", "-e", folder / "log", "-p", folder, "-c", config)
    yield Site(f"https://127.0.0.1:{ports['nginx']}", certificate)
    process.terminate()
    process.wait(10)


@pytest.fixture(params=["caddy", "nginx"])
def client(request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """Who asks the app by one of the examples, and trusts its certificate."""
    site: Site = request.getfixturevalue(request.param)
    eventually(site.authority.exists, within=20)
    trust = ssl.create_default_context(cafile=str(site.authority))
    with httpx.Client(
        base_url=site.url,
        verify=trust,
        auth=("anyone", SECRET),
        timeout=10,
        trust_env=False,
    ) as client:
        eventually(lambda: client.get("/photos/health").is_success, within=20)
        yield client


def test_the_examples_serve_all_of_it(client: httpx.Client) -> None:
    """Behind Caddy and nginx, by TLS: the page, searches, photos, and where the API is told."""
    page = client.get("/photos", follow_redirects=True)
    assert page.url.path == "/photos/"
    assert "default-src 'self'" in page.headers["content-security-policy"]
    files = re.findall(r'(?:src|href)="\./([^"]+)"', page.text)
    assert len(files) >= 6
    for file in files:
        assert client.get(f"/photos/{file}").is_success, file
    found = client.get("/photos/search", params={"q": "cup of coffee"})
    assert found.json()["results"][0]["filename"] == "coffee.png"
    status = client.get("/photos/status").json()
    assert status["all_skipped"] == "/photos/status/skipped"
    assert client.get(status["all_skipped"]).is_success
    docs = client.get("/photos/docs")
    assert "content-security-policy" not in docs.headers
    [description] = re.findall(r"url: '([^']+)'", docs.text)
    assert client.get(description).json()["servers"] == [{"url": "/photos"}]


def test_the_password_is_asked_for_below_a_path(client: httpx.Client) -> None:
    """Below a path nothing is had without the password either."""
    client.auth = httpx.Auth()  # none
    for path in ("", "search", "img/cat.png", "docs", "status/events"):
        assert client.get(f"/photos/{path}").status_code == 401, path


def test_names_and_parts_of_photos_come_through(client: httpx.Client) -> None:
    """Whatever signs are in a photo's name, and of its file the part that is asked for."""
    original = (PHOTOS / "cat.png").read_bytes()
    address = f"/photos/img/{quote(ODD)}"
    assert client.get(address).content == original
    part = client.get(address, headers={"Range": "bytes=100-299"})
    assert part.status_code == 206
    assert part.content == original[100:300]
    assert client.get(f"/photos/thumb/{quote(ODD)}").is_success


def test_events_come_at_once(client: httpx.Client, served: App) -> None:
    """A change is told through a proxy when it happens, not when a buffer is full."""
    new = served.img / "new.png"
    with client.stream("GET", "/photos/status/events") as events:
        told = (
            json.loads(line.removeprefix("data:"))["indexed"]
            for line in events.iter_lines()
            if line.startswith("data:")
        )
        before = next(told)
        served.add("coffee.png", new.name)
        while next(told) != before + 1:
            pass
    new.unlink()
    served.finds("cat.png", "coffee.png", ODD)


def test_a_large_upload_reaches_the_app(client: httpx.Client) -> None:
    """60 MB come through; what is more than the app takes is refused in the app's own words."""
    for size, code in ((60 * MEGABYTE, 422), (64 * MEGABYTE + 1, 413)):
        answer = client.post("/photos/search", content=bytes(size), timeout=30)
        assert answer.status_code == code
        assert "html" not in answer.headers["content-type"]  # a proxy's own


@pytest.fixture(params=["strips", "keeps"])
def page(
    request: pytest.FixtureRequest,
    caddy: Site,
    browser: Browser,
    ports: dict[str, int],
) -> Iterator[Page]:
    """A page below a path, by a proxy that takes the path away or one that leaves it."""
    base = f"http://localhost:{ports[request.param]}"
    page = browser.new_page(
        base_url=base, viewport={"width": 1280, "height": 800}
    )
    eventually(lambda: page.request.get("/photos/health").ok, within=20)
    wrong: list[str] = []
    page.on(
        "request",
        lambda asked: (
            None
            if asked.url.startswith((f"{base}/photos/", "data:", "blob:"))
            else wrong.append(asked.url)
        ),
    )
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console",
        lambda said: (
            wrong.append(said.text)
            if said.type == "error"
            and "Failed to load resource" not in said.text
            else None
        ),
    )
    page.on(
        "response",
        lambda answer: wrong.append(answer.url) if is_broken(answer) else None,
    )
    yield page
    page.close()
    assert wrong == []


def test_the_page_stays_below_its_path(page: Page, served: App) -> None:
    """Searches, an open photo, reload, Back, events, files and the app it installs as."""
    page.goto("/photos/")
    expect(photos(page)).to_have_count(3)
    search(page, "cup of coffee")
    expect_results(page, "for “cup of coffee”")
    assert urlsplit(page.url).path == "/photos/"
    photos(page).first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    opened = page.url
    page.reload()
    expect(dialog).to_be_visible()
    assert page.url == opened
    file = dialog.get_by_role("link", name="Download").get_attribute("href")
    assert file is not None
    assert file.startswith("/photos/img/")
    assert page.request.get(file).ok
    page.go_back()
    expect(dialog).to_be_hidden()
    expect_results(page, "for “cup of coffee”")
    page.get_by_role("heading", level=1).get_by_role("link").click()
    expect(photos(page)).to_have_count(3)
    assert urlsplit(page.url).path == "/photos/"

    served.add("cat.png", "new.png")
    image = page.get_by_role("img", name="new.png")
    expect(image).to_be_visible()
    (served.img / "new.png").unlink()
    expect(image).to_have_count(0)

    session = page.context.new_cdp_session(page)
    told = session.send("Page.getAppManifest")
    assert told["errors"] == []
    manifest = told["manifest"]
    for address in (manifest["startUrl"], manifest["scope"], manifest["id"]):
        assert urlsplit(address).path == "/photos/", manifest
