"""Downloads, from a server on this machine that can be told to cut, to alter, to send something else."""

from __future__ import annotations

import gzip
import hashlib
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module

import numpy as np
import pytest

from wagegap import datasets
from wagegap.datasets.download import KnownFile
from wagegap.errors import ChecksumError, DataError, DownloadError, ExtraMissingError, OptionError, OutputError

pooch = pytest.importorskip("pooch")
door = import_module("wagegap.datasets.download")  # the package's attribute of that name is the function
BODY = np.random.default_rng(0).bytes(1_000_003)  # several chunks, and no round number of them
CUT = 400_000


def in_words(value):
    """Name of a case, the same in every process: a set has no order, and bytes are many."""
    return value if isinstance(value, str) else type(value).__name__


class Server(ThreadingHTTPServer):
    """What it does is in `tricks`; how often it was asked, in `asked`."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.tricks, self.asked = set(), 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/results.csv"

    def handle_error(self, request, client_address):
        """Clients that break off are part of the plan."""


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        tricks = self.server.tricks
        self.server.asked += 1
        refused = self.refused(tricks)
        if refused:
            return self.answer(*refused)
        body = BODY[:-1] + bytes([BODY[-1] ^ 1]) if "altered" in tricks else BODY
        body = body + b"more" if "longer" in tricks else body[:-7] if "shorter" in tricks else body
        if "packed" in tricks:
            return self.answer(200, gzip.compress(body), {"Content-Encoding": "gzip"})
        return self.answer(200, body)

    def refused(self, tricks):
        for code in (403, 404, 500, 503):
            if code in tricks:
                return code, b"no"
        if "page" in tricks:
            return 200, b"<!DOCTYPE html><title>Sign in</title>", {"Content-Type": "text/html"}
        if "pointer" in tricks:
            oid = hashlib.sha256(BODY).hexdigest()
            return 200, f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\n".encode()
        if "redirect to nowhere" in tricks:
            return 302, b"", {"Location": "http://a..b/"}
        if "redirect" in tricks and self.path != "/moved":
            return 302, b"", {"Location": "/moved"}
        if "redirect to a file" in tricks:
            return 302, b"", {"Location": "file:///etc/hostname"}
        return None

    def answer(self, code, body, headers=None):
        tricks = self.server.tricks
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if "no length" not in tricks:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if "silent" in tricks:
            time.sleep(1.5)
        self.wfile.write(body[:CUT] if "cut" in tricks else body)


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.delenv("WAGEGAP_DATA", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    made = Server()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    digest = hashlib.sha256(BODY).hexdigest()
    known = KnownFile("example", 2019, "so_survey/example.csv", len(BODY), digest, made.url, "terms", "source")
    monkeypatch.setattr(door, "published_files", lambda: {"example": known})
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "so_survey" / "example.csv"


def get(tmp_path, **options):
    return datasets.download("example", folder=tmp_path, timeout=options.pop("timeout", 20.0), **options)


def test_a_file_comes_whole_and_once(server, tmp_path, target, capfd):
    assert get(tmp_path) == target
    assert target.read_bytes() == BODY
    assert os.listdir(target.parent) == ["example.csv"]
    written = target.stat().st_mtime_ns
    assert get(tmp_path) == target
    assert datasets.download(["example"], folder=tmp_path) == [target]
    assert server.asked == 1
    assert target.stat().st_mtime_ns == written
    assert capfd.readouterr() == ("", "")


def test_the_folder_is_that_of_the_variable(server, tmp_path, target, monkeypatch):
    monkeypatch.setenv("WAGEGAP_DATA", str(tmp_path))
    assert datasets.download("example") == target


@pytest.mark.parametrize("tricks", [{"no length"}, {"redirect"}, {"packed"}], ids=["no length", "redirect", "packed"])
def test_other_ways_to_send_the_right_file(server, tmp_path, tricks):
    server.tricks = tricks
    assert get(tmp_path).read_bytes() == BODY


def test_a_wrong_checksum_is_refused_and_leaves_nothing(server, tmp_path, target):
    server.tricks = {"altered"}
    with pytest.raises(ChecksumError, match="altered on the way, or published anew"):
        get(tmp_path)
    assert os.listdir(target.parent) == []


@pytest.mark.parametrize(
    ("tricks", "said"),
    [
        ({"page"}, "sends a page, not the file"),
        ({"pointer"}, "pointer of git-lfs.*media.githubusercontent.com/media/OWNER"),
        ({"longer"}, r"sends 1,000,007 bytes, the published file has 1,000,003"),
        ({"shorter"}, r"sends 999,996 bytes"),
        ({"cut"}, "connection was lost.*call again"),
        ({"cut", "no length"}, r"sends 400,000 bytes.*connection was lost"),
        ({404}, "answered 404 Not Found.*url="),
        ({403}, "answered 403 Forbidden.*in a browser"),
        ({503}, "answered 503 Service Unavailable.*later"),
        ({"redirect", "redirect to a file"}, "file:///etc/hostname"),
        ({"redirect", "redirect to nowhere"}, "label empty"),
    ],
    ids=in_words,
)
def test_what_is_not_the_file_is_refused(server, tmp_path, target, tricks, said):
    server.tricks = tricks
    with pytest.raises(DownloadError, match=said):
        get(tmp_path)
    assert os.listdir(target.parent) == []


def test_a_server_that_falls_silent(server, tmp_path, target):
    server.tricks = {"silent"}
    with pytest.raises(DownloadError, match=r"sent nothing for longer than timeout= allows.*timed out"):
        get(tmp_path, timeout=0.2)
    assert os.listdir(target.parent) == []


def test_no_network(server, tmp_path, target):
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as gone:
        port = gone.server_address[1]
    with pytest.raises(DownloadError, match=r"cannot be reached.*refused.*Nothing was kept"):
        get(tmp_path, url=f"http://127.0.0.1:{port}/results.csv")
    assert os.listdir(target.parent) == []


def test_without_pooch(server, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ExtraMissingError, match=r"wagegap\[data\]"):
        get(tmp_path)


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (BODY[:1000], r"it has 1,000 bytes, not 1,000,003"),
        (b"?" * len(BODY), r"its SHA-256 is [0-9a-f]{64}, not [0-9a-f]{64}"),
    ],
    ids=["truncated", "altered"],
)
def test_an_altered_copy_is_never_written_over_unasked(server, tmp_path, target, left, said):
    target.parent.mkdir()
    target.write_bytes(left)
    with pytest.raises(ChecksumError, match=f"not example as published: {said}.*overwrite=True"):
        get(tmp_path)
    assert target.read_bytes() == left
    assert server.asked == 0
    server.tricks = {"cut"}
    with pytest.raises(DownloadError):
        get(tmp_path, overwrite=True)
    assert target.read_bytes() == left  # replaced only by a whole file
    server.tricks = set()
    assert get(tmp_path, overwrite=True).read_bytes() == BODY


def test_a_folder_in_its_place(server, tmp_path, target):
    target.mkdir(parents=True)
    with pytest.raises(OutputError, match=r"example\.csv, which should be example, cannot be read"):
        get(tmp_path)


def test_a_file_in_place_of_the_folder(server, tmp_path):
    (tmp_path / "so_survey").write_text("in the way")
    with pytest.raises(OutputError, match="so_survey"):
        get(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_folder(server, tmp_path, target):
    target.parent.mkdir()
    target.parent.chmod(0o500)
    try:
        with pytest.raises(OutputError, match=r"cannot be written: Permission denied.*folder="):
            get(tmp_path)
    finally:
        target.parent.chmod(0o700)


def test_a_full_disk(server, tmp_path, target, monkeypatch):
    def full(self, url, path, pooch):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", full)
    with pytest.raises(OutputError, match=r"No space left on device.*folder="):
        get(tmp_path)
    assert os.listdir(target.parent) == []


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"name": "exampel"}, OptionError, "Did you mean 'example'"),
        ({"url": "ftp://host/file"}, OptionError, "http:// or https://"),
        ({"url": "file:///etc/passwd"}, OptionError, "http:// or https://"),
        ({"url": "http://a..b/file"}, OptionError, "http:// or https://"),
        ({"url": "http://[::1/file"}, OptionError, "http:// or https://"),
        ({"url": "http://host:port/file"}, OptionError, "http:// or https://"),
        ({"url": 5}, OptionError, "url=5 must be text"),
        ({"name": ["example", "example"], "url": "http://host/file"}, OptionError, "2 names are given"),
        ({"timeout": 0}, OptionError, "timeout=0 must be"),
        ({"folder": None}, DataError, "pass folder=, or set WAGEGAP_DATA"),
        ({"folder": "no/such/folder"}, DataError, "no folder 'no/such/folder': make it first"),
    ],
    ids=in_words,
)
def test_what_cannot_be_asked(server, tmp_path, options, error, said):
    given = {"name": "example", "folder": tmp_path, **options}
    with pytest.raises(error, match=said):
        datasets.download(given.pop("name"), **given)
    assert server.asked == 0


def test_progress_goes_to_stderr_on_request(server, tmp_path, capsys):
    get(tmp_path, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "100%" in err
    assert get(tmp_path) is not None
    assert capsys.readouterr() == ("", "")


def test_the_list_says_what_is_there(server, tmp_path, target):
    def state(**options):
        return datasets.downloads(folder=tmp_path, **options)["local"].item()

    assert state() == "absent"
    get(tmp_path)
    assert (state(), state(verify=True)) == ("present", "verified")
    target.write_bytes(b"?" * len(BODY))
    assert (state(), state(verify=True)) == ("present", "altered")
    target.write_bytes(BODY[:5])
    assert (state(), state(verify=True)) == ("altered", "altered")


def test_the_registry_is_fit_for_use():
    frame = datasets.downloads()
    assert frame["name"].tolist() == [f"stack_overflow_{year}" for year in range(2011, 2026)]
    assert frame["sha256"].str.fullmatch("[0-9a-f]{64}").all()
    assert frame["sha256"].is_unique
    assert frame["bytes"].gt(900_000).all()
    assert frame["file"].is_unique
    address = (
        r"https://media\.githubusercontent\.com/media/StackExchange/Survey/main/packages/archive/(\d{4})/results\.csv"
    )
    assert frame["url"].str.extract(address)[0].astype(int).tolist() == frame["year"].tolist()


def test_the_registry_agrees_with_what_was_recorded(facts):
    recorded = [(int(year), *values) for year, values in facts("downloads").items()]
    frame = datasets.downloads()
    assert list(zip(frame["year"], frame["bytes"], frame["sha256"], strict=True)) == recorded
